/* First pass over a tensor's text: nesting and kinds, no conversion.
 *
 * A span is walked byte by byte (its grammar has been checked), a list that holds objects through
 * jansson's tree. Both report the same three events; level 0 is the value itself, level d the lists
 * nested d deep. */
#include "api/json/json_survey.h"

#include "api/json/json_doc.h"
#include "api/json/number.h"
#include "api/json/text.h"

enum { INT32_DIGITS_SAFE = 9 };

struct walk {
    struct survey *survey;
    const struct api_value *value; /* for messages */
    uint32_t level, deepest;
    bool leaf_seen;
    bool known[SURVEY_LEVELS_MAX + 1];      /* dims[level - 1] is known */
    uint64_t counts[SURVEY_LEVELS_MAX + 1]; /* elements so far of the list open at a level */
};

/* "[1,2]" between two texts; cut where there is no room. */
static void
print_index(char *out, size_t size, const char *before, const uint64_t *index, uint32_t levels,
            const char *after)
{
    size_t used = (size_t)snprintf(out, size, "%s[", before);

    for (uint32_t i = 0; i < levels && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, i == 0 ? "%llu" : ",%llu",
                                 (unsigned long long)index[i]);
    if (used < size)
        snprintf(out + used, size - used, "]%s", after);
}

const char *
api_survey_place(const struct survey *survey, uint64_t ordinal,
                 char out[static SURVEY_PLACE_BYTES_MAX])
{
    uint64_t index[SURVEY_LEVELS_MAX];

    out[0] = '\0';
    if (survey->rank == 0)
        return out;
    for (uint32_t i = survey->rank; i-- > 0;) {
        index[i] = survey->dims[i] == 0 ? 0 : ordinal % survey->dims[i];
        ordinal = survey->dims[i] == 0 ? 0 : ordinal / survey->dims[i];
    }
    print_index(out, SURVEY_PLACE_BYTES_MAX, " element ", index, survey->rank, ":");
    return out;
}

const char *
api_survey_element_text(struct bytes from, char out[static SURVEY_ELEMENT_BYTES_MAX])
{
    const size_t room = SURVEY_ELEMENT_BYTES_MAX - 4;
    size_t size = 0, cut;

    if (from.data == NULL) {
        snprintf(out, SURVEY_ELEMENT_BYTES_MAX, "an object");
        return out;
    }
    if (from.data[0] == '"')
        size = (size_t)(survey_after_string(from.data) - from.data);
    else
        while (size < from.size && memchr(",] \n\r\t", from.data[size], 6) == NULL)
            size++;
    cut = size <= room ? size : api_utf8_cut(bytes_of(from.data, size), room);
    snprintf(out, SURVEY_ELEMENT_BYTES_MAX, "%.*s%s", (int)cut, (const char *)from.data,
             cut < size ? "..." : "");
    return out;
}

static enum err_code
ragged(const struct walk *w, uint32_t levels, const char *found, const char *expected,
       struct err *err)
{
    char where[API_WHERE_BYTES_MAX], index[SURVEY_PLACE_BYTES_MAX];

    print_index(index, sizeof index, "", w->counts + 1, levels, "");
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: ragged: %s %s, expected %s",
                   api_value_where(w->value, where), index, found, expected);
}

/* --- the three events ---------------------------------------------------------------------- */

static enum err_code
list_opens(struct walk *w, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    if (w->leaf_seen && w->level == w->deepest)
        return ragged(w, w->level, "is a list", "an element as those before it", err);
    if (w->level == SHAPE_RANK_MAX + 1) /* one more for complex pairs */
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: nested deeper than %d dimensions",
                       api_value_where(w->value, where), SHAPE_RANK_MAX);
    w->level++;
    if (w->level > w->deepest)
        w->deepest = w->level;
    w->counts[w->level] = 0;
    return OK;
}

static enum err_code
list_closes(struct walk *w, struct err *err)
{
    uint64_t count = w->counts[w->level], *dim = &w->survey->dims[w->level - 1];
    char found[48], expected[24];

    if (w->known[w->level] && *dim != count) {
        snprintf(found, sizeof found, "has %llu element%s", (unsigned long long)count,
                 count == 1 ? "" : "s");
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)*dim);
        return ragged(w, w->level - 1, found, expected, err);
    }
    *dim = count;
    w->known[w->level] = true;
    w->level--;
    w->counts[w->level]++;
    return OK;
}

static enum err_code
element_comes(struct walk *w, enum element_kind kind, struct bytes text, struct err *err)
{
    struct survey *s = w->survey;

    if (w->level != w->deepest)
        return ragged(w, w->level, "is no list", "one", err);
    w->leaf_seen = true;
    if ((s->kinds >> kind & 1) == 0) {
        s->kinds |= 1u << kind;
        s->first[kind] = (struct survey_first){s->count, text};
    }
    s->count++;
    w->counts[w->level]++;
    return OK;
}

/* --- where they come from ------------------------------------------------------------------ */

static const uint8_t *
after_number(const uint8_t *p, const uint8_t *end, enum element_kind *kind)
{
    const uint8_t *begin = p;
    int64_t value = 0;
    bool fraction = false;

    for (; p < end; p++) {
        if ((uint8_t)(*p - '0') < 10 || *p == '-')
            continue;
        if (*p != '.' && *p != 'e' && *p != 'E' && *p != '+')
            break;
        fraction = true;
    }
    *kind = ELEMENT_INT32;
    if (fraction)
        *kind = ELEMENT_FRACTION;
    else if (p - begin > INT32_DIGITS_SAFE) {
        if (!api_number_i64((const char *)begin, (size_t)(p - begin), &value))
            *kind = ELEMENT_WIDE;
        else if (value < INT32_MIN || value > INT32_MAX)
            *kind = ELEMENT_INT64;
    }
    return p;
}

/* Behind the element that p begins. */
static const uint8_t *
after_element(const uint8_t *p, const uint8_t *end, enum element_kind *kind)
{
    const uint8_t *after;
    double value;

    switch (*p) {
    case '"':
        after = survey_after_string(p);
        *kind = api_json_nonfinite(bytes_of(p, (size_t)(after - p)), &value) ? ELEMENT_NONFINITE
                                                                             : ELEMENT_TEXT;
        return after;
    case 't':
        *kind = ELEMENT_BOOL;
        return p + strlen("true");
    case 'f':
        *kind = ELEMENT_BOOL;
        return p + strlen("false");
    case 'n':
        *kind = ELEMENT_NULL;
        return p + strlen("null");
    default:
        return after_number(p, end, kind);
    }
}

static enum err_code
survey_span(struct walk *w, struct bytes text, struct err *err)
{
    const uint8_t *p = text.data, *end = text.data + text.size;

    while (p < end) {
        enum element_kind kind = ELEMENT_NULL;
        const uint8_t *begin = p;

        switch (*p) {
        case ' ':
        case '\n':
        case '\r':
        case '\t':
        case ',':
            p++;
            break;
        case '[':
            TRY(list_opens(w, err));
            p++;
            break;
        case ']':
            TRY(list_closes(w, err));
            p++;
            break;
        default:
            p = after_element(p, end, &kind);
            TRY(element_comes(w, kind, bytes_of(begin, (size_t)(end - begin)), err));
        }
    }
    return OK;
}

/* {"base64": "…"} as an element. */
static bool
is_base64_element(const struct api_value *value)
{
    const json_t *json = json_object_get(value->json, "base64");
    struct api_value text;

    if (json == NULL || json_object_size(value->json) != 1)
        return false;
    text = api_value_of_json(value->doc, json, value, "base64", 0);
    return api_value_kind(&text) == API_TEXT;
}

/* Recursion ends at API_JSON_DEPTH_MAX, which the scanner has enforced. */
static enum err_code
survey_value(struct walk *w, const struct api_value *value, struct err *err)
{
    if (value->json == NULL)
        return survey_span(w, value->text, err);
    if (json_is_object(value->json)) {
        if (!is_base64_element(value))
            return api_value_mismatch(value, "a number, a text or {\"base64\": text}", err);
        return element_comes(w, ELEMENT_BASE64, bytes_of(NULL, 0), err);
    }
    TRY(list_opens(w, err));
    for (size_t i = 0; i < api_value_length(value); i++) {
        struct api_value element = api_value_at(value, i);

        TRY(survey_value(w, &element, err));
    }
    return list_closes(w, err);
}

enum err_code
api_survey_take(const struct api_value *value, struct survey *out, struct err *err)
{
    struct walk w = {.survey = out, .value = value};

    *out = (struct survey){.rank = 0};
    TRY(survey_value(&w, value, err));
    out->rank = w.deepest;
    return OK;
}
