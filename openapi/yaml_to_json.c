/* yaml_to_json IN OUT: a YAML document as JSON, for the build: the server has both forms of its
 * OpenAPI document in it. Takes what JSON can say: one document, texts as keys, each key of a
 * mapping once, no anchors, no tags. Plain scalars are read by YAML 1.2's core schema. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 64 };

struct conversion {
    yaml_parser_t parser;
    const char *file;
    bool failed; /* and told */
};

static void
fail(struct conversion *c, const yaml_mark_t *mark, const char *what, const char *which)
{
    if (!c->failed)
        fprintf(stderr, "%s:%zu:%zu: %s%s\n", c->file, mark->line + 1, mark->column + 1, what,
                which);
    c->failed = true;
}

/* The caller deletes *out when this succeeds. */
static bool
next(struct conversion *c, yaml_event_t *out)
{
    if (c->failed)
        return false;
    if (yaml_parser_parse(&c->parser, out))
        return true;
    fail(c, &c->parser.problem_mark, c->parser.problem != NULL ? c->parser.problem : "not readable",
         "");
    return false;
}

/* --- scalars --- */

static bool
is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool
is_number(const char *text, bool *whole)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t digits = strspn(at, "0123456789"), fraction = 0;

    *whole = true;
    at += digits;
    if (*at == '.') {
        *whole = false;
        fraction = strspn(++at, "0123456789");
        at += fraction;
    }
    if (digits + fraction == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        *whole = false;
        at++;
        at += *at == '-' || *at == '+';
        if (strspn(at, "0123456789") == 0)
            return false;
        at += strspn(at, "0123456789");
    }
    return *at == '\0';
}

static json_t *
plain(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    bool whole;

    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, trues))
        return json_true();
    if (is_one_of(text, falses))
        return json_false();
    if (!is_number(text, &whole))
        return json_string(text);
    return whole ? json_integer(strtoll(text, NULL, 10)) : json_real(strtod(text, NULL));
}

static json_t *
scalar(struct conversion *c, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    json_t *json;

    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL) {
        fail(c, &event->start_mark, "anchors and tags are not taken", "");
        return NULL;
    }
    json = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
               ? plain(text)
               : json_stringn(text, event->data.scalar.length);
    if (json == NULL)
        fail(c, &event->start_mark, "not UTF-8: ", text);
    return json;
}

/* --- collections --- */

static json_t *value(struct conversion *c, const yaml_event_t *first, int depth);

static json_t *
sequence(struct conversion *c, int depth)
{
    json_t *list = json_array();
    yaml_event_t event;
    bool more = true;

    while (more && next(c, &event)) {
        more = event.type != YAML_SEQUENCE_END_EVENT;
        if (more)
            (void)json_array_append_new(list, value(c, &event, depth + 1));
        yaml_event_delete(&event);
    }
    return list;
}

static void
member(struct conversion *c, json_t *object, const yaml_event_t *key, int depth)
{
    const char *name = (const char *)key->data.scalar.value;
    yaml_event_t event;

    if (key->type != YAML_SCALAR_EVENT) {
        fail(c, &key->start_mark, "a key must be a text", "");
        return;
    }
    if (json_object_get(object, name) != NULL)
        fail(c, &key->start_mark, "this key is there twice: ", name);
    if (!next(c, &event))
        return;
    (void)json_object_set_new(object, name, value(c, &event, depth + 1));
    yaml_event_delete(&event);
}

static json_t *
mapping(struct conversion *c, int depth)
{
    json_t *object = json_object();
    yaml_event_t key;
    bool more = true;

    while (more && next(c, &key)) {
        more = key.type != YAML_MAPPING_END_EVENT;
        if (more)
            member(c, object, &key, depth);
        yaml_event_delete(&key);
    }
    return object;
}

/* NULL when it failed. */
static json_t *
value(struct conversion *c, const yaml_event_t *first, int depth)
{
    if (depth > DEPTH_MAX) {
        fail(c, &first->start_mark, "nested too deep", "");
        return NULL;
    }
    if (first->type == YAML_SCALAR_EVENT)
        return scalar(c, first);
    if (first->type == YAML_SEQUENCE_START_EVENT)
        return sequence(c, depth);
    if (first->type == YAML_MAPPING_START_EVENT)
        return mapping(c, depth);
    fail(c, &first->start_mark, "a value was expected, not an alias or the end", "");
    return NULL;
}

static json_t *
document(struct conversion *c)
{
    json_t *json = NULL;
    yaml_event_t event;
    bool more = true;

    while (more && next(c, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
            event.type == YAML_MAPPING_START_EVENT) {
            if (json != NULL)
                fail(c, &event.start_mark, "a second document", "");
            else
                json = value(c, &event, 1);
        }
        if (!more && json == NULL)
            fail(c, &event.start_mark, "there is no document", "");
        yaml_event_delete(&event);
    }
    return json;
}

/* --- writing --- */

/* With as many digits as it takes to read the same number, and no more. */
static bool
write_real(FILE *out, double number)
{
    char text[64];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return fprintf(out, strpbrk(text, ".e") == NULL ? "%s.0" : "%s", text) > 0;
}

/* jansson has one number of digits for all: 0.1 would have 17, or the greatest float32 15. */
static bool
write_json(FILE *out, const json_t *json)
{
    json_t *object = (json_t *)(uintptr_t)json; /* jansson iterates through plain pointers */
    const char *mark = "{";

    if (json_is_real(json))
        return write_real(out, json_real_value(json));
    if (json_is_object(json) && json_object_size(json) > 0) {
        for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
            json_t *key = json_string(json_object_iter_key(i));
            bool good = fputs(mark, out) != EOF && key != NULL && write_json(out, key) &&
                        fputc(':', out) != EOF && write_json(out, json_object_iter_value(i));

            json_decref(key);
            if (!good)
                return false;
            mark = ",";
        }
        return fputc('}', out) != EOF;
    }
    if (json_is_array(json) && json_array_size(json) > 0) {
        for (size_t i = 0; i < json_array_size(json); i++)
            if (fputc(i == 0 ? '[' : ',', out) == EOF || !write_json(out, json_array_get(json, i)))
                return false;
        return fputc(']', out) != EOF;
    }
    return json_dumpf(json, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

/* --- files --- */

static bool
write_file(const char *path, const json_t *json)
{
    FILE *out = fopen(path, "w");
    bool good = out != NULL && write_json(out, json) && fputc('\n', out) != EOF;

    if (out != NULL)
        good = fclose(out) == 0 && good;
    if (!good)
        perror(path);
    return good;
}

int
main(int argc, char **argv)
{
    FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL;
    struct conversion c = {.file = argc == 3 ? argv[1] : ""};
    json_t *json;
    bool good;

    if (in == NULL) {
        fprintf(stderr, "usage: yaml_to_json IN.yaml OUT.json\n");
        return 2;
    }
    if (!yaml_parser_initialize(&c.parser)) {
        fclose(in);
        return 1;
    }
    yaml_parser_set_input_file(&c.parser, in);
    json = document(&c);
    good = !c.failed && json != NULL && write_file(argv[2], json);
    json_decref(json);
    yaml_parser_delete(&c.parser);
    fclose(in);
    return good ? 0 : 1;
}
