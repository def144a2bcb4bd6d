/* Fields whose value is one of a few names. */
#ifndef API_TENSORS_CHOICE_H
#define API_TENSORS_CHOICE_H

#include "api/json/jsonio.h"

/* *out: the place of the name among `names`. *given false and *out untouched when absent.
 * ERR_INVALID_ARGUMENT lists them, with the nearest. */
ERR_MUST_CHECK enum err_code api_object_choice(struct api_object *o, const char *field,
                                               struct arena *arena, const char *const *names,
                                               size_t count, unsigned *out, bool *given,
                                               struct err *err);

#endif
