/* Private to service/record/: what encodings share. */
#ifndef SERVICE_RECORD_RECORD_PARTS_H
#define SERVICE_RECORD_RECORD_PARTS_H

#include "service/record/record.h"
#include "store/base/buf.h"

/* 2: what a model says of random numbers, and graphs. 3: the order and shards of a checkpoint's
 * tensors, its labels and its saver. */
enum { RECORD_FORMAT = 3 };

/* in->failed when they are damaged. */
void record_texts_decode(struct reader *in, struct record_texts *out);
ERR_MUST_CHECK enum err_code record_texts_encode(const struct record_texts *texts, struct buf *out,
                                                 struct err *err);
/* The end of a model's record; nothing when nothing is said, as in records of before there were
 * devices. */
void record_devices_decode(struct reader *in, struct model_devices *out);
ERR_MUST_CHECK enum err_code record_devices_encode(const struct model_devices *devices,
                                                   struct buf *out, struct err *err);
/* A name with its length, into `room` bytes with the NUL at its end; in->failed when it is longer.
 */
void record_name_decode(struct reader *in, size_t room, char *out);
/* An expression as it was written, with its length. ERR_PAYLOAD_TOO_LARGE past `size_max` bytes,
 * about `what`. */
ERR_MUST_CHECK enum err_code record_expr_encode(const struct expr_tree *tree, const char *what,
                                                size_t size_max, struct buf *out, struct err *err);
ERR_MUST_CHECK enum err_code record_expr_decode(struct bytes text, struct expr_tree *out,
                                                struct err *err);
void record_type_decode(struct reader *in, struct tensor_type *out);
ERR_MUST_CHECK enum err_code record_type_encode(const struct tensor_type *type, struct buf *out,
                                                struct err *err);
/* Whether a record of this kind was read well, to its end. */
ERR_MUST_CHECK enum err_code record_decoded(const struct reader *in, uint8_t format,
                                            const char *kind, struct err *err);

#endif
