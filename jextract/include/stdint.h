/* The exact-width integers of lodestone.h, spelled so that they mean the same on every platform: C `long` never appears.
 * Only jextract reads this file. C programs use their compiler's own stdint.h. */
#ifndef LODESTONE_BINDINGS_STDINT_H
#define LODESTONE_BINDINGS_STDINT_H

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;

#endif
