/* JSON in: jansson for the envelope, our own scanner for numbers, strings and arrays.
 *
 * One pass over the text checks UTF-8, NUL bytes, depth and grammar, and replaces every number,
 * every string that is a value and every array that holds no object by an index into a table of
 * text spans; jansson parses what is left: objects, keys, true, false, null. So an array of a
 * million numbers costs no tree, a long base64 string no copy, 64-bit integers stay exact, and
 * because every integer that jansson sees is ours, nothing a client writes can pose as a span.
 * Typed getters name the offending path: "field 'initial_value.shape' must be a list of integers".
 */
#ifndef API_JSON_JSONIO_H
#define API_JSON_JSONIO_H

#include <jansson.h>

#include "api/json/json_reader.h"
#include "service/tensor/tensor.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

enum { API_JSON_FIELDS_MAX = 64, API_WHERE_BYTES_MAX = 320 };

struct api_json;

struct api_json_limits {
    size_t text_bytes_max;     /* the body */
    size_t envelope_bytes_max; /* what jansson gets to see */
};

/* `text` is borrowed and must outlive *out. Owned by the caller: api_json_drop.
 * ERR_INVALID_ARGUMENT with byte offset; ERR_PAYLOAD_TOO_LARGE. Duplicate keys, trailing bytes, NaN
 * literals, 1e999 in a span's number grammar are refused (the last when it is read as a number). */
ERR_MUST_CHECK enum err_code api_json_parse(struct bytes text, const struct api_json_limits *limits,
                                            struct api_json **out, struct err *err);
void api_json_drop(struct api_json *doc); /* NULL is fine */

/* A value in the document, with its path for messages. Small; copied by value. */
struct api_value {
    const struct api_json *doc;
    const json_t *json;             /* NULL: the value is `text` */
    struct bytes text;              /* a number, string or array as it was written */
    const struct api_value *parent; /* borrowed: outer values live on the caller's stack */
    const char *key;                /* in the parent; NULL: element `index`, or the root */
    size_t index;
};

struct api_value api_json_root(const struct api_json *doc);

/* "field 'initial_value.args[1]'", or "the body" for the root: how messages begin. Returns out. */
const char *api_value_where(const struct api_value *value, char out[static API_WHERE_BYTES_MAX]);

enum api_value_kind { API_NULL, API_BOOL, API_NUMBER, API_TEXT, API_ARRAY, API_OBJECT };
enum api_value_kind api_value_kind(const struct api_value *value);

/* An object being taken apart: every field asked for is ticked off; api_object_end refuses the rest
 * by name, with the nearest known one. */
struct api_object {
    struct api_value value;
    const char *asked[API_JSON_FIELDS_MAX]; /* literals */
    size_t asked_count;
};

ERR_MUST_CHECK enum err_code api_object_of(const struct api_value *value, struct api_object *out,
                                           struct err *err);
/* False when absent. null counts as present. */
bool api_object_has(struct api_object *o, const char *field, struct api_value *out);
ERR_MUST_CHECK enum err_code api_object_end(struct api_object *o, struct err *err);
/* A field that must be there, of any kind: ERR_INVALID_ARGUMENT names it. */
ERR_MUST_CHECK enum err_code api_object_value(struct api_object *o, const char *field,
                                              struct api_value *out, struct err *err);

/* Each: *present false and *out untouched when absent; ERR_INVALID_ARGUMENT when of another kind.
 * `present` NULL: the field is required. Texts and arrays borrow from the arena. Texts hold no
 * U+0000. */
ERR_MUST_CHECK enum err_code api_object_text(struct api_object *o, const char *field,
                                             struct arena *arena, const char **out, bool *present,
                                             struct err *err);
ERR_MUST_CHECK enum err_code api_object_bool(struct api_object *o, const char *field, bool *out,
                                             bool *present, struct err *err);
ERR_MUST_CHECK enum err_code api_object_i64(struct api_object *o, const char *field, int64_t *out,
                                            bool *present, struct err *err);
ERR_MUST_CHECK enum err_code api_object_shape(struct api_object *o, const char *field,
                                              struct shape *out, bool *present, struct err *err);
ERR_MUST_CHECK enum err_code api_object_dtype(struct api_object *o, const char *field,
                                              enum dtype *out, bool *present, struct err *err);
ERR_MUST_CHECK enum err_code api_object_texts(struct api_object *o, const char *field,
                                              struct arena *arena, const char ***out, size_t *count,
                                              bool *present, struct err *err);

/* The same on a value itself. f64 also takes "NaN", "Infinity" and "-Infinity". */
ERR_MUST_CHECK enum err_code api_value_text(const struct api_value *value, struct arena *arena,
                                            const char **out, struct err *err);
ERR_MUST_CHECK enum err_code api_value_bool(const struct api_value *value, bool *out,
                                            struct err *err);
ERR_MUST_CHECK enum err_code api_value_i64(const struct api_value *value, int64_t *out,
                                           struct err *err);
ERR_MUST_CHECK enum err_code api_value_f64(const struct api_value *value, double *out,
                                           struct err *err);
ERR_MUST_CHECK enum err_code api_value_dtype(const struct api_value *value, enum dtype *out,
                                             struct err *err);
ERR_MUST_CHECK enum err_code api_value_shape(const struct api_value *value, struct shape *out,
                                             struct err *err);
ERR_MUST_CHECK enum err_code api_value_texts(const struct api_value *value, struct arena *arena,
                                             const char ***out, size_t *count, struct err *err);
/* Elements of an array that holds objects (a plain array has no elements here: it is a span). */
size_t api_value_length(const struct api_value *value);
struct api_value api_value_at(const struct api_value *value, size_t index);
/* An array of mixed values, also one that holds no object: parses the span's top level into values
 * that borrow from the arena. For "args": [ … ]. */
ERR_MUST_CHECK enum err_code api_value_elements(const struct api_value *value, struct arena *arena,
                                                struct api_value **out, size_t *count,
                                                struct err *err);
/* Fields of an object in document order: for maps such as {"ckpt_name": "var"}. Names borrow from
 * doc. */
ERR_MUST_CHECK enum err_code api_value_fields(const struct api_value *value, struct arena *arena,
                                              const char ***names, struct api_value **values,
                                              size_t *count, struct err *err);

/* --- tensors ------------------------------------------------------------------------------- */

/* What is known of a tensor before its text is read. */
struct api_tensor_hint {
    enum dtype dtype;          /* DTYPE_UNSET: infer as TensorFlow does */
    const struct shape *shape; /* NULL: from the nesting; for flat data: required shape */
    uint64_t bytes_max;        /* ERR_PAYLOAD_TOO_LARGE past it */
};

/* A bare number, boolean, string or nested array; {"dtype","shape","data"};
 * {"dtype","shape","base64"}
 * ("datatype" and Open Inference names too). *inferred: the dtype was neither given nor hinted.
 * Integers convert to a float dtype, never fractions to an integer one; a value outside its dtype's
 * range, ragged nesting, a wrong count: ERR_INVALID_ARGUMENT naming the position. *out owned:
 * tensor_drop. */
ERR_MUST_CHECK enum err_code api_value_tensor(const struct api_value *value,
                                              const struct api_tensor_hint *hint,
                                              struct tensor *out, bool *inferred, struct err *err);
/* Whether an object is a tensor literal ("data" or "base64" in it). */
bool api_value_is_tensor_object(const struct api_value *value);

/* Appends `data` nested to its shape: [[1,2],[3,4]]; a scalar bare. Shortest text that reads back
 * to the same bits; "NaN" "Infinity" "-Infinity" as strings; complex [re,im]; string elements as
 * JSON strings or
 * {"base64": …} where not UTF-8. Opaque numbers (qint8 …) as integers, float8 as numbers. */
ERR_MUST_CHECK enum err_code api_tensor_text(const struct tensor_view *tensor, struct buf *out,
                                             struct err *err);

#endif
