/* The grammar of names. Tight enough that no proxy can bend a path that holds one. */
#ifndef SERVICE_NAME_H
#define SERVICE_NAME_H

#include "store/base/bytes.h"
#include "store/base/err.h"

enum { NAME_BYTES_MAX = 255, NAME_MODEL_BYTES_MAX = 128, NAME_TENSOR_BYTES_MAX = 480 };

/* Variables, checkpoints, savers, optimizers: segments of [A-Za-z0-9_.-] joined by single slashes,
 * the first beginning with a letter, digit or '.', none empty, "." or "..". `kind` ("variable") is
 * for the message. ERR_INVALID_ARGUMENT says what is wrong with which name. */
ERR_MUST_CHECK enum err_code name_check(const char *kind, const char *name, struct err *err);
ERR_MUST_CHECK enum err_code name_check_model(const char *name, struct err *err);
/* Names of tensors inside a checkpoint: any UTF-8 of 1 to NAME_TENSOR_BYTES_MAX bytes, without NUL.
 */
ERR_MUST_CHECK enum err_code name_check_tensor(struct bytes name, struct err *err);
/* What names begin with, and after which a list goes on (NULL: anything), come from queries: no
 * name is longer. */
ERR_MUST_CHECK enum err_code name_check_start(const char *text, struct err *err);
/* What else variables are looked for by (`what`, for the message), likewise: none has a longer one.
 */
ERR_MUST_CHECK enum err_code name_check_length(const char *what, const char *text, size_t bytes_max,
                                               struct err *err);
/* TensorFlow's output suffix: "w:0" means w. Returns the length without it. */
size_t name_without_output(const char *name);
/* One of the names that are known after the other, NULL past the end. */
typedef const char *name_known_at(const void *context, size_t index);
/* Of the known names the one few letters away from `name`, for messages; NULL when none is near. */
const char *name_nearest(struct bytes name, name_known_at *known_at, const void *context);

#endif
