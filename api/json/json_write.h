/* JSON out: documents built with jansson, printed by our own number code, because jansson writes
 * 0.35 as 0.34999999999999998. */
#ifndef API_JSON_JSON_WRITE_H
#define API_JSON_JSON_WRITE_H

#include <jansson.h>

#include "store/base/buf.h"

/* Any number of 64 bits, for documents that api_json_write writes. jansson has none over 2^63 - 1:
 * such a one is an object with a key that no other document has. NULL: out of memory. */
json_t *api_json_u64(uint64_t value);
/* Appends `value` without white space. Documents are ours: as deep as the expressions in them. */
ERR_MUST_CHECK enum err_code api_json_write(const json_t *value, struct buf *out, struct err *err);
/* The fields of an object, each as ,"name":value, to be put into another one. */
ERR_MUST_CHECK enum err_code api_json_write_members(const json_t *object, struct buf *out,
                                                    struct err *err);

#endif
