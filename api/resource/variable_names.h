/* Names of variables as clients write them, in JSON and in queries: TensorFlow's "w:0" is w. */
#ifndef API_RESOURCE_VARIABLE_NAMES_H
#define API_RESOURCE_VARIABLE_NAMES_H

#include "api/json/jsonio.h"

/* A copy of `text` in the arena, without its output. */
ERR_MUST_CHECK enum err_code api_variable_name(struct arena *arena, const char *text,
                                               const char **out, struct err *err);
/* All of them, in their places. */
ERR_MUST_CHECK enum err_code api_variable_names(struct arena *arena, const char **names,
                                                size_t count, struct err *err);
/* "a,b,layer/c"; an empty text is one empty name. Names and list are in the arena. */
ERR_MUST_CHECK enum err_code api_variable_names_split(struct arena *arena, struct bytes text,
                                                      const char ***out, size_t *count,
                                                      struct err *err);

/* A field of an object that is a name, or a list of names. As with api_object_text: *present tells
 * whether it is there; NULL when it must be. Borrows from the arena. */
ERR_MUST_CHECK enum err_code api_object_variable(struct api_object *object, const char *field,
                                                 struct arena *arena, const char **out,
                                                 bool *present, struct err *err);
ERR_MUST_CHECK enum err_code api_object_variables(struct api_object *object, const char *field,
                                                  struct arena *arena, const char ***out,
                                                  size_t *count, bool *present, struct err *err);

#endif
