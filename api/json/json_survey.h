/* What a nested list of JSON elements looks like, before anything is converted: its shape, how many
 * elements of which kind, and where the first of each kind is. For json_tensor.c and
 * attr_json.c. */
#ifndef API_JSON_JSON_SURVEY_H
#define API_JSON_JSON_SURVEY_H

#include "api/json/jsonio.h"

/* Also the kinds that decide a dtype. A row per kind in json_survey.c. */
enum element_kind {
    ELEMENT_INT32, /* integers by the narrowest type that holds them */
    ELEMENT_INT64,
    ELEMENT_WIDE,
    ELEMENT_FRACTION,  /* a fraction or an exponent */
    ELEMENT_NONFINITE, /* the texts "NaN" "Infinity" "-Infinity" */
    ELEMENT_TEXT,
    ELEMENT_BASE64, /* {"base64": …} */
    ELEMENT_BOOL,
    ELEMENT_NULL,
    ELEMENT_KIND_COUNT
};

enum { SURVEY_LEVELS_MAX = API_JSON_DEPTH_MAX + 1, SURVEY_ELEMENT_BYTES_MAX = 48 };

struct survey {
    uint64_t dims[SURVEY_LEVELS_MAX]; /* [0] outermost */
    uint32_t rank;                    /* of the nesting */
    uint64_t count;
    unsigned kinds; /* bits 1 << element_kind */
    struct survey_first {
        uint64_t ordinal;
        struct bytes text; /* from the element on, to the end of its span; data NULL: an object */
    } first[ELEMENT_KIND_COUNT];
};

/* ERR_INVALID_ARGUMENT: "field 'data': ragged: [1] has 3 elements, expected 2". */
ERR_MUST_CHECK enum err_code api_survey_take(const struct api_value *value, struct survey *out,
                                             struct err *err);
/* " element [1,2]:", "" for a scalar; for a message that names an element. Returns out. */
enum { SURVEY_PLACE_BYTES_MAX = 800 };
const char *api_survey_place(const struct survey *survey, uint64_t ordinal,
                             char out[static SURVEY_PLACE_BYTES_MAX]);
/* The element's text as written, cut; returns out. */
const char *api_survey_element_text(struct bytes from_element,
                                    char out[static SURVEY_ELEMENT_BYTES_MAX]);

/* Walking the elements of a span that has been scanned: the next one from p on. Returns where it
 * begins, end when there is none. */
static inline const uint8_t *
survey_next_element(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ',' || *p == '[' || *p == ']' || *p == ' ' || *p == '\n' ||
                       *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Behind the string that p begins. */
static inline const uint8_t *
survey_after_string(const uint8_t *p)
{
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

#endif
