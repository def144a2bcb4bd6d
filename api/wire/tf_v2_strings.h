/* String tensors as data files of V2 checkpoints have them: the lengths as varints, their checksum,
 * then the strings' bytes. */
#ifndef API_WIRE_TF_V2_STRINGS_H
#define API_WIRE_TF_V2_STRINGS_H

#include "service/scratch.h"
#include "service/variable/tensor_set.h"

/* An entry's bytes, front to back; they lie in runs of any size. Borrows from the set. */
struct api_tf_v2_string_runs {
    const struct bytes *spans;
    size_t count;
    struct bytes left; /* of the run that is read */
};
struct api_tf_v2_string_runs api_tf_v2_string_runs_of(const struct tensor_set *set, size_t i);
/* The next `count` strings, put at the end of the scratch: *size bytes with checksum *crc.
 * ERR_INTERNAL when the bytes are not what a string tensor's are. */
ERR_MUST_CHECK enum err_code api_tf_v2_strings_write(struct api_tf_v2_string_runs *runs,
                                                     uint64_t count, struct scratch *scratch,
                                                     uint64_t *size, uint32_t *crc,
                                                     struct err *err);

#endif
