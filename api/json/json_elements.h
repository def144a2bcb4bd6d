/* Elements of a scanned span, converted into a tensor's bytes. For json_tensor.c. */
#ifndef API_JSON_JSON_ELEMENTS_H
#define API_JSON_JSON_ELEMENTS_H

#include "api/json/json_survey.h"

/* How elements of one dtype are read. Complex types are read as pairs of their part. */
struct element_reader {
    unsigned kinds;   /* element kinds taken: bits */
    uint32_t numbers; /* JSON numbers per element: 2 for complex, else 1 */
    uint32_t size;    /* bytes per number; 0: string */
};

const struct element_reader *api_element_reader_of(enum dtype dtype);

/* Reads every element of `text` into out, whose room is survey->count numbers of the dtype. The
 * kinds have been checked. ERR_INVALID_ARGUMENT: "field 'data': element [1,2]: 300 is outside
 * uint8". */
ERR_MUST_CHECK enum err_code api_elements_store(const struct api_value *value,
                                                const struct survey *survey, enum dtype dtype,
                                                uint8_t *out, struct err *err);
/* The same for string tensors, appended to `out` as length and bytes each. The value is a span, or
 * a list with base64 objects in it. */
ERR_MUST_CHECK enum err_code api_elements_append_strings(const struct api_value *value,
                                                         struct buf *out, struct err *err);
/* The bytes of a base64 field, appended. */
ERR_MUST_CHECK enum err_code api_elements_append_base64(const struct api_value *text,
                                                        struct buf *out, struct err *err);

#endif
