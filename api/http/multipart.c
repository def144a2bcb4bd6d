/* The body of multipart/form-data, through one window.
 *
 * The window holds bytes that came and were not given out: [begin, end). Every delimiter is CR LF,
 * two dashes and the boundary; the CR LF of the first one, which no body has, is put into the
 * window beforehand. What of the window is known to be content of the open part stands in `content`
 * and is given out without a second look; the rest is at most a delimiter's length, until more has
 * come. */
#include "api/http/multipart.h"

#include <stdio.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

#define LINE_END "\r\n"

enum {
    LINE_END_BYTES = 2,
    DELIMITER_BYTES_MAX = LINE_END_BYTES + 2 + API_MULTIPART_BOUNDARY_BYTES_MAX,
};

enum stage { STAGE_BEGIN, STAGE_CONTENT, STAGE_DELIMITER, STAGE_OVER };

struct api_multipart {
    struct api_byte_source source;
    enum stage stage;
    bool source_ended;
    unsigned parts;
    size_t begin, end; /* in the window */
    size_t content;    /* bytes from begin */
    size_t delimiter_size;
    char delimiter[DELIMITER_BYTES_MAX + 1];
    char name[API_MULTIPART_NAME_BYTES_MAX + 1]; /* of the open part, for messages */
    uint8_t window[API_MULTIPART_WINDOW_BYTES];
};

enum err_code
api_multipart_open(struct bytes content_type, const struct api_byte_source *source,
                   struct api_multipart **out, struct err *err)
{
    char boundary[API_MULTIPART_BOUNDARY_BYTES_MAX + 1];
    struct api_multipart *m;

    TRY(api_multipart_boundary(content_type, boundary, err));
    m = mem_alloc(sizeof *m, err);
    if (m == NULL)
        return ERR_NO_MEMORY;
    memset(m, 0, offsetof(struct api_multipart, window));
    m->source = *source;
    m->delimiter_size =
        (size_t)snprintf(m->delimiter, sizeof m->delimiter, LINE_END "--%s", boundary);
    memcpy(m->window, LINE_END, LINE_END_BYTES);
    m->end = LINE_END_BYTES;
    *out = m;
    return OK;
}

void
api_multipart_drop(struct api_multipart *m)
{
    mem_free(m);
}

/* --- the window ---------------------------------------------------------------------------- */

static size_t
held(const struct api_multipart *m)
{
    return m->end - m->begin;
}

/* Some more bytes, or source_ended. There is room: nobody waits for more than headers. */
static enum err_code
fill(struct api_multipart *m, struct err *err)
{
    size_t got = 0;

    if (m->begin > 0) {
        memmove(m->window, m->window + m->begin, held(m));
        m->end -= m->begin;
        m->begin = 0;
    }
    CHECK(m->end < sizeof m->window);
    TRY(m->source.read(m->source.context, m->window + m->end, sizeof m->window - m->end, &got,
                       err));
    m->end += got;
    m->source_ended = got == 0;
    return OK;
}

/* Until `size` bytes are held, or the body has ended. */
static enum err_code
fill_to(struct api_multipart *m, size_t size, struct err *err)
{
    while (held(m) < size && !m->source_ended)
        TRY(fill(m, err));
    return OK;
}

static bool
stands_at(const struct api_multipart *m, size_t offset, const char *text, size_t size)
{
    return held(m) >= offset + size && memcmp(m->window + m->begin + offset, text, size) == 0;
}

static const char *
dashes_and_boundary(const struct api_multipart *m)
{
    return m->delimiter + LINE_END_BYTES;
}

static enum err_code
cut_short(const struct api_multipart *m, const char *where, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the body ends %s, before its closing boundary '%s--'", where,
                   dashes_and_boundary(m));
}

/* --- boundaries ---------------------------------------------------------------------------- */

/* Nothing, or an empty line, stands before the first one. */
static enum err_code
find_first(struct api_multipart *m, struct err *err)
{
    TRY(fill_to(m, LINE_END_BYTES + m->delimiter_size, err));
    if (!stands_at(m, 0, m->delimiter, m->delimiter_size)) {
        if (!stands_at(m, LINE_END_BYTES, m->delimiter, m->delimiter_size))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the body does not begin with its boundary '%s'",
                           dashes_and_boundary(m));
        m->begin += LINE_END_BYTES;
    }
    m->stage = STAGE_DELIMITER;
    return OK;
}

static enum err_code
skip_padding(struct api_multipart *m, struct err *err)
{
    for (size_t i = 0; i <= API_MULTIPART_PADDING_BYTES_MAX; i++) {
        TRY(fill_to(m, 1, err));
        if (held(m) == 0 || (m->window[m->begin] != ' ' && m->window[m->begin] != '\t'))
            return OK;
        m->begin++;
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "more than %d blanks follow the boundary '%s'",
                   API_MULTIPART_PADDING_BYTES_MAX, dashes_and_boundary(m));
}

/* Behind the last boundary: nothing, or one line end. */
static enum err_code
take_end(struct api_multipart *m, struct err *err)
{
    TRY(skip_padding(m, err));
    TRY(fill_to(m, LINE_END_BYTES + 1, err));
    if (held(m) > 0 && !(held(m) == LINE_END_BYTES && stands_at(m, 0, LINE_END, LINE_END_BYTES)))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the body goes on behind its closing boundary '%s--'",
                       dashes_and_boundary(m));
    if (m->parts == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the body has no parts");
    m->stage = STAGE_OVER;
    return OK;
}

/* The delimiter with what follows it on its line, but for the line end. */
static enum err_code
take_delimiter(struct api_multipart *m, struct err *err)
{
    m->begin += m->delimiter_size;
    m->content = 0;
    TRY(fill_to(m, 2, err));
    if (stands_at(m, 0, "--", 2)) {
        m->begin += 2;
        return take_end(m, err);
    }
    TRY(skip_padding(m, err));
    TRY(fill_to(m, LINE_END_BYTES, err));
    if (held(m) < LINE_END_BYTES)
        return cut_short(m, "behind a boundary", err);
    if (!stands_at(m, 0, LINE_END, LINE_END_BYTES))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a line of the body begins with the boundary '%s' and goes on: it must end "
                       "there, with CR LF",
                       dashes_and_boundary(m));
    return OK;
}

/* --- parts --------------------------------------------------------------------------------- */

/* At the line end before the header lines: *size of what there is up to the empty line, both line
 * ends included. */
static enum err_code
find_headers_end(struct api_multipart *m, size_t *size, struct err *err)
{
    for (;;) {
        const uint8_t *begin = m->window + m->begin;
        const uint8_t *end = memmem(begin, held(m), LINE_END LINE_END, 2 * LINE_END_BYTES);

        *size = end == NULL ? held(m) : (size_t)(end - begin) + LINE_END_BYTES;
        if (*size > LINE_END_BYTES + API_MULTIPART_HEADER_BYTES_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "part %u of the body has more than %d bytes of headers", m->parts,
                           API_MULTIPART_HEADER_BYTES_MAX);
        if (end != NULL)
            return OK;
        if (m->source_ended)
            return cut_short(m, "in the headers of a part", err);
        TRY(fill(m, err));
    }
}

static enum err_code
take_headers(struct api_multipart *m, struct api_multipart_part *out, struct err *err)
{
    size_t size = 0;

    if (m->parts == API_MULTIPART_PARTS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the body has more than %d parts",
                       API_MULTIPART_PARTS_MAX);
    m->parts++;
    TRY(find_headers_end(m, &size, err));
    TRY(api_multipart_headers(
        bytes_of(m->window + m->begin + LINE_END_BYTES, size - LINE_END_BYTES), m->parts, out,
        err));
    memcpy(m->name, out->name, sizeof m->name);
    m->begin += size;
    /* The empty line's end may be the delimiter's own: a part without any content. */
    TRY(fill_to(m, m->delimiter_size, err));
    if (stands_at(m, 0, m->delimiter, m->delimiter_size)) {
        m->stage = STAGE_DELIMITER;
        return OK;
    }
    m->begin += LINE_END_BYTES;
    m->stage = STAGE_CONTENT;
    return OK;
}

/* Sets content, or finds that there is no more. */
static enum err_code
find_content(struct api_multipart *m, struct err *err)
{
    while (m->content == 0) {
        const uint8_t *begin = m->window + m->begin;
        const uint8_t *found = memmem(begin, held(m), m->delimiter, m->delimiter_size);

        if (found == begin) {
            m->stage = STAGE_DELIMITER;
            return OK;
        }
        if (found != NULL)
            m->content = (size_t)(found - begin);
        else if (held(m) >= m->delimiter_size)
            m->content = held(m) - m->delimiter_size + 1;
        else if (m->source_ended)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the body ends in part '%s', before its closing boundary '%s--'",
                           m->name, dashes_and_boundary(m));
        else
            TRY(fill(m, err));
    }
    return OK;
}

enum err_code
api_multipart_next(struct api_multipart *m, struct api_multipart_part *out, bool *present,
                   struct err *err)
{
    *present = false;
    if (m->stage == STAGE_BEGIN)
        TRY(find_first(m, err));
    while (m->stage == STAGE_CONTENT) {
        m->begin += m->content;
        m->content = 0;
        TRY(find_content(m, err));
    }
    if (m->stage == STAGE_DELIMITER)
        TRY(take_delimiter(m, err));
    if (m->stage == STAGE_OVER)
        return OK;
    TRY(take_headers(m, out, err));
    *present = true;
    return OK;
}

enum err_code
api_multipart_read(void *multipart, void *out, size_t size, size_t *got, struct err *err)
{
    struct api_multipart *m = multipart;

    *got = 0;
    if (m->stage != STAGE_CONTENT)
        return OK;
    TRY(find_content(m, err));
    *got = m->content < size ? m->content : size;
    memcpy(out, m->window + m->begin, *got);
    m->begin += *got;
    m->content -= *got;
    return OK;
}
