/* A slice of a tensor as the TensorProto that stands in a V1 file: nothing but its value field. */
#ifndef API_WIRE_TF_V1_ENCODE_H
#define API_WIRE_TF_V1_ENCODE_H

#include "api/file/sstable_write.h"
#include "api/file/tf_parts.h"
#include "service/variable/tensor_set.h"

/* Where the strings of a slice begin: zeroed before the first of a file. Slices of a tensor that
 * come in order each begin where the last one was looked for. */
struct api_tf_v1_strings_place {
    const struct tensor_set_entry *entry;
    uint64_t element, at; /* at: byte of the entry */
};

/* Owns nothing. */
struct api_tf_v1_message {
    const struct tensor_set *set;
    const struct tensor_set_entry *entry;
    struct api_tf_parts *parts; /* one part: the slice; of strings that lie side by side */
    struct api_tf_v1_strings_place *place;
    uint64_t packed_bytes; /* of the packed numbers; of strings the whole message */
    uint64_t size;         /* of the message */
};

/* Goes through the values, where their size depends on them. */
ERR_MUST_CHECK enum err_code
api_tf_v1_message_measure(const struct tensor_set *set, const struct tensor_set_entry *entry,
                          struct api_tf_parts *slice, struct api_tf_v1_strings_place *place,
                          struct api_tf_v1_message *out, struct err *err);
/* The end of an entry that was begun in the writer. Numbers that stand there as they are kept are
 * lent, when there are enough of them in a row. */
ERR_MUST_CHECK enum err_code api_tf_v1_message_write(const struct api_tf_v1_message *message,
                                                     struct api_sstable_writer *out,
                                                     struct err *err);

#endif
