/* Inside of a parsed document; for the json*.c files only. */
#ifndef API_JSON_JSON_DOC_H
#define API_JSON_JSON_DOC_H

#include "api/json/jsonio.h"

struct api_json {
    struct bytes text; /* borrowed */
    json_t *root;      /* its integers are indices into spans */
    struct bytes *spans;
    size_t span_count, span_capacity;
};

/* `json` as a value: only objects and lists that hold objects stay jansson's, all else becomes
 * text. */
struct api_value api_value_of_json(const struct api_json *doc, const json_t *json,
                                   const struct api_value *parent, const char *key, size_t index);
/* A value that stands in a span. */
struct api_value api_value_of_text(const struct api_json *doc, struct bytes text,
                                   const struct api_value *parent, size_t index);
/* ERR_INVALID_ARGUMENT "field 'x' must be a text, it is a number". */
enum err_code api_value_mismatch(const struct api_value *value, const char *wanted,
                                 struct err *err);
/* What an arena call that gave NULL failed with. */
static inline enum err_code
api_arena_failure(const struct err *err)
{
    return err != NULL && err->code != OK ? err->code : ERR_NO_MEMORY;
}
/* "NaN", "Infinity", "-Infinity", quotes included. False: something else. */
bool api_json_nonfinite(struct bytes text, double *out);

#endif
