/* String tensors as data files of V2 checkpoints have them: the lengths as varints, their checksum,
 * then the strings' bytes. */
#ifndef API_WIRE_TF_V2_STRINGS_H
#define API_WIRE_TF_V2_STRINGS_H

#include "service/scratch.h"
#include "service/tensor_set.h"

/* Entry i of the set, put at the end of the scratch: *size bytes with checksum *crc. ERR_INTERNAL
 * when the entry's bytes are not what a string tensor's are. */
ERR_MUST_CHECK enum err_code api_tf_v2_strings_write(const struct tensor_set *set, size_t i,
                                                     struct scratch *scratch, uint64_t *size,
                                                     uint32_t *crc, struct err *err);

#endif
