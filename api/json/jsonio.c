/* Text into a document: the envelope for jansson, spans for the rest.
 *
 * The envelope is written anew from tokens, so it holds nothing the scanner has not seen. Whether
 * an array holds an object is known only at its end, or at the first object in it. So an array is
 * first looked through as a whole; when that meets an object, the arrays open at that point are
 * marked, and are not looked through again. Every byte is read three times at most, however the
 * text is nested. */
#include "api/json/jsonio.h"

#include "api/json/json_doc.h"
#include "api/json/number.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct envelope {
    struct api_json_reader reader;
    struct api_json *doc;
    struct buf out;
    bool comma;                       /* before the next key or element */
    size_t marks[API_JSON_DEPTH_MAX]; /* by depth: 1 + where an array begins that holds an object */
};

static void
envelope_drop(struct envelope *e)
{
    buf_drop(&e->out);
}

static enum err_code
add_span(struct api_json *doc, struct bytes span, struct err *err)
{
    struct bytes *grown =
        mem_grown(doc->spans, doc->span_count, &doc->span_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    doc->spans = grown;
    doc->spans[doc->span_count++] = span;
    return OK;
}

static enum err_code
emit(struct envelope *e, const void *data, size_t size, struct err *err)
{
    enum err_code code = OK;

    if (e->comma)
        code = buf_append_byte(&e->out, ',', NULL);
    if (code == OK)
        code = buf_append(&e->out, data, size, NULL);
    if (code == ERR_PAYLOAD_TOO_LARGE)
        return err_set(err, code,
                       "the JSON has over %zu bytes beside its lists of numbers "
                       "(json_envelope_max_bytes): send it in parts, or tensors as binary",
                       e->out.size_max);
    if (code != OK)
        return err_set(err, code, "out of memory for the body's JSON");
    return OK;
}

static enum err_code
emit_span(struct envelope *e, size_t begin, size_t end, struct err *err)
{
    char index[API_NUMBER_BYTES_MAX];
    size_t size = api_number_print_u64(e->doc->span_count, index);

    TRY(add_span(e->doc, bytes_of(e->reader.text.data + begin, end - begin), err));
    return emit(e, index, size, err);
}

/* Goes on behind the "[" that was just read: *end is behind its "]" when it holds no object;
 * otherwise 0, the arrays that hold the object are marked, and the reader stands where it stood. */
static enum err_code
look_through(struct envelope *e, size_t begin, size_t *end, struct err *err)
{
    struct api_json_reader start = e->reader;
    struct api_json_token token;
    uint32_t outside = start.depth - 1;

    e->marks[outside] = begin + 1;
    do {
        TRY(api_json_next(&e->reader, &token, err));
        if (token.kind == API_JSON_ARRAY)
            e->marks[e->reader.depth - 1] = token.begin + 1;
        if (token.kind == API_JSON_ARRAY_END) /* closed before any object: not one of them */
            e->marks[e->reader.depth] = 0;
        if (token.kind == API_JSON_OBJECT) {
            e->reader = start;
            *end = 0;
            return OK;
        }
    } while (e->reader.depth > outside);
    *end = token.end;
    return OK;
}

static enum err_code
take_array(struct envelope *e, size_t begin, struct err *err)
{
    size_t end = 0;

    if (e->marks[e->reader.depth - 1] != begin + 1) {
        TRY(look_through(e, begin, &end, err));
        if (end != 0) {
            TRY(emit_span(e, begin, end, err));
            e->comma = true;
            return OK;
        }
    }
    TRY(emit(e, "[", 1, err));
    e->comma = false;
    return OK;
}

static enum err_code
take_token(struct envelope *e, const struct api_json_token *token, struct err *err)
{
    const uint8_t *text = e->reader.text.data + token->begin;
    size_t size = token->end - token->begin;

    switch (token->kind) {
    case API_JSON_ARRAY:
        return take_array(e, token->begin, err);
    case API_JSON_OBJECT:
        TRY(emit(e, "{", 1, err));
        e->comma = false;
        return OK;
    case API_JSON_OBJECT_END:
    case API_JSON_ARRAY_END:
        e->comma = false;
        TRY(emit(e, text, size, err));
        break;
    case API_JSON_KEY:
        TRY(emit(e, text, size, err));
        e->comma = false;
        return emit(e, ":", 1, err);
    case API_JSON_STRING:
    case API_JSON_NUMBER:
        TRY(emit_span(e, token->begin, token->end, err));
        break;
    case API_JSON_TRUE:
    case API_JSON_FALSE:
    case API_JSON_NULL:
        TRY(emit(e, text, size, err));
        break;
    case API_JSON_END:
        break;
    }
    e->comma = true;
    return OK;
}

static enum err_code
parse_envelope(struct api_json *doc, struct bytes envelope, struct err *err)
{
    json_error_t error;

    doc->root = json_loadb((const char *)envelope.data, envelope.size,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (doc->root != NULL)
        return OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the body's JSON");
    return err_set(err, ERR_INVALID_ARGUMENT, "JSON: %s", error.text);
}

static enum err_code
fill_document(struct api_json *doc, const struct api_json_limits *limits, struct err *err)
{
    AUTO(envelope) e = {.reader = api_json_reader_of(doc->text), .doc = doc};
    struct api_json_token token = {.kind = API_JSON_NULL};

    buf_init(&e.out, limits->envelope_bytes_max);
    while (token.kind != API_JSON_END) {
        TRY(api_json_next(&e.reader, &token, err));
        TRY(take_token(&e, &token, err));
    }
    return parse_envelope(doc, buf_bytes(&e.out), err);
}

enum err_code
api_json_parse(struct bytes text, const struct api_json_limits *limits, struct api_json **out,
               struct err *err)
{
    struct api_json *doc;
    enum err_code code;

    if (text.size > limits->text_bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "the body has %zu bytes, the limit is %zu",
                       text.size, limits->text_bytes_max);
    doc = mem_zeroed(1, sizeof *doc, err);
    if (doc == NULL)
        return ERR_NO_MEMORY;
    doc->text = text;
    code = fill_document(doc, limits, err);
    if (code != OK) {
        api_json_drop(doc);
        return code;
    }
    *out = doc;
    return OK;
}

void
api_json_drop(struct api_json *doc)
{
    if (doc == NULL)
        return;
    json_decref(doc->root);
    mem_free(doc->spans);
    mem_free(doc);
}
