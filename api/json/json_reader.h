/* JSON text as a row of tokens: the whole grammar of RFC 8259, checked once, without recursion.
 *
 * Every other reader of JSON in this folder is built on it, so a rule is enforced in one place:
 * valid UTF-8, no control characters (so no NUL), no lone surrogates, no leading zeros, depth at
 * most API_JSON_DEPTH_MAX, nothing after the value. Duplicate keys are the caller's to find. */
#ifndef API_JSON_JSON_READER_H
#define API_JSON_JSON_READER_H

#include "store/base/bytes.h"
#include "store/base/err.h"

enum { API_JSON_DEPTH_MAX = 64 };

enum api_json_token_kind {
    API_JSON_OBJECT,
    API_JSON_OBJECT_END,
    API_JSON_ARRAY,
    API_JSON_ARRAY_END,
    API_JSON_KEY, /* with its colon eaten */
    API_JSON_STRING,
    API_JSON_NUMBER,
    API_JSON_TRUE,
    API_JSON_FALSE,
    API_JSON_NULL,
    API_JSON_END
};

struct api_json_token {
    enum api_json_token_kind kind;
    size_t begin, end; /* in the text; keys and strings with their quotes */
};

/* A place in a text. Copying one is keeping the place. */
struct api_json_reader {
    struct bytes text; /* borrowed */
    size_t at;
    uint32_t depth;     /* open objects and arrays */
    uint64_t in_object; /* bit d: the one opened at depth d is an object */
    uint8_t expect;     /* private */
};

struct api_json_reader api_json_reader_of(struct bytes text);
/* The next token. ERR_INVALID_ARGUMENT with the byte offset. After API_JSON_END it stays there. */
ERR_MUST_CHECK enum err_code api_json_next(struct api_json_reader *reader,
                                           struct api_json_token *out, struct err *err);
/* Skips the rest of a value whose first token was `first`. */
ERR_MUST_CHECK enum err_code api_json_skip(struct api_json_reader *reader,
                                           const struct api_json_token *first, struct err *err);
/* What is between the quotes of a key or string. Borrows from the text. */
struct bytes api_json_inner(const struct api_json_reader *reader,
                            const struct api_json_token *token);

#endif
