/* What every unit test may need: a directory of its own, and how large a map it may reserve. */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <stdint.h>

/* A fresh, empty directory (0700) under $TMPDIR or /tmp. Owns: release with unit_temp_dir_remove.
 * Ends the test program when there is none to be had. */
char *unit_temp_dir(void);
/* Removes the directory with everything in it and takes `path`. NULL is allowed. Symbolic links
 * inside are removed, not followed. */
void unit_temp_dir_remove(char *path);

/* Bytes of address space a store may reserve: TENSORKEEP_TEST_MAP_BYTES, else 16 GiB. Sanitizers
 * and valgrind want less than a server takes. */
uint64_t unit_map_bytes(void);

#endif
