/* Only jextract reads this file. C programs use their compiler's own stdbool.h. */
#ifndef LODESTONE_BINDINGS_STDBOOL_H
#define LODESTONE_BINDINGS_STDBOOL_H

#define bool _Bool

#endif
