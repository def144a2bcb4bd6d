/* JSON out: documents built with jansson, printed by our own number code, because jansson writes
 * 0.35 as 0.34999999999999998. */
#ifndef API_JSON_JSON_WRITE_H
#define API_JSON_JSON_WRITE_H

#include <jansson.h>

#include "store/base/buf.h"

/* Appends `value` without white space. Documents are ours: as deep as the expressions in them. */
ERR_MUST_CHECK enum err_code api_json_write(const json_t *value, struct buf *out, struct err *err);
/* The fields of an object, each as ,"name":value, to be put into another one. */
ERR_MUST_CHECK enum err_code api_json_write_members(const json_t *object, struct buf *out,
                                                    struct err *err);

#endif
