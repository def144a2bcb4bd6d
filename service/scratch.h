/* A scratch file: temporary bytes of one request that are too many for memory. It has no name, lies
 * in the data folder, and is gone with its last user, also after a crash.
 *
 * Not thread-safe; what is mapped may be read by any thread. */
#ifndef SERVICE_SCRATCH_H
#define SERVICE_SCRATCH_H

#include "service/service.h"

struct scratch;

/* Owned: scratch_drop. */
ERR_MUST_CHECK enum err_code scratch_open(struct service *service, struct scratch **out,
                                          struct err *err);
void scratch_drop(struct scratch *scratch); /* NULL is fine */
void scratch_scope_drop(struct scratch **scratch);
#define AUTO_SCRATCH AUTO_CALL(scratch_scope_drop) struct scratch *

/* Puts bytes at the end. ERR_FULL when the disk has no room for them beyond its reserve. After an
 * error it can only be dropped. */
ERR_MUST_CHECK enum err_code scratch_append(struct scratch *scratch, const void *bytes, size_t size,
                                            struct err *err);
uint64_t scratch_size(const struct scratch *scratch);
/* The descriptor, with everything appended so far in the file. Borrowed; for pread only. */
ERR_MUST_CHECK enum err_code scratch_descriptor(struct scratch *scratch, int *out, struct err *err);
/* Bytes [begin, begin + size) of what is there. Borrows until the scratch is dropped. */
ERR_MUST_CHECK enum err_code scratch_map(struct scratch *scratch, uint64_t begin, uint64_t size,
                                         struct bytes *out, struct err *err);

#endif
