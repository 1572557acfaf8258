/* Only jextract reads this file. lodestone.h uses neither size_t nor NULL, so nothing is needed here. */
#ifndef LODESTONE_BINDINGS_STDDEF_H
#define LODESTONE_BINDINGS_STDDEF_H
#endif
