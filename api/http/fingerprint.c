/* The body of a form is hashed piece by piece, each followed by its length, without the delimiters
 * in between: read from its end that is one list of pieces and no other. A line that begins with
 * the delimiter is one (api/http/multipart.h), so no content is taken for it. */
#include "api/http/fingerprint.h"

#include <stdio.h>

#include "api/json/chars.h"
#include "api/state.h"

static void
hash_length(struct sha256_ctx *hash, uint64_t length)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(length >> (8 * i));
    sha256_update(hash, sizeof bytes, bytes);
}

static void
hash_part(struct sha256_ctx *hash, struct bytes part)
{
    hash_length(hash, part.size);
    sha256_update(hash, part.size, part.data);
}

/* --- head ---------------------------------------------------------------------------------- */

/* By name; each is there once. */
static void
hash_query(struct sha256_ctx *hash, const struct api_request *rq)
{
    struct bytes last = bytes_of("", 0);

    for (size_t done = 0; done < rq->argument_count; done++) {
        const struct api_argument *next = NULL;

        for (size_t i = 0; i < rq->argument_count; i++) {
            const struct api_argument *argument = &rq->arguments[i];

            if ((done == 0 || bytes_compare(argument->name, last) > 0) &&
                (next == NULL || bytes_compare(argument->name, next->name) < 0))
                next = argument;
        }
        hash_part(hash, next->name);
        hash_part(hash, next->value);
        last = next->name;
    }
}

static struct bytes
meaning_of(const struct api_fingerprint *f, const char *name, struct bytes value)
{
    if (f->delimiter_size > 0 && strcmp(name, "Content-Type") == 0)
        return bytes_of_text("multipart/form-data");
    return value;
}

static void
hash_headers(struct api_fingerprint *f, const struct api_request *rq)
{
    static const char *const names[] = {"Accept", "Content-Type", "If-Match",    "If-None-Match",
                                        "Prefer", "Tensor-Dtype", "Tensor-Shape"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t k = 0; k < rq->head.count; k++) {
            const struct api_header *field = &rq->head.fields[k];

            if (!api_chars_equal(field->name, names[i]))
                continue;
            hash_part(&f->hash, bytes_of_text(names[i]));
            hash_part(&f->hash, meaning_of(f, names[i], field->value));
        }
    }
    hash_part(&f->hash, bytes_of("", 0)); /* no header has this name: the body follows */
}

/* A form with a boundary that is none is refused by whoever reads it. */
static void
find_delimiter(struct api_fingerprint *f, const struct api_request *rq)
{
    struct bytes type = api_request_header(rq, "Content-Type");
    char boundary[API_MULTIPART_BOUNDARY_BYTES_MAX + 1];
    size_t size;

    if (type.data == NULL || !api_multipart_is_type(type) ||
        api_multipart_boundary(type, boundary, NULL) != OK)
        return;
    size = strlen(boundary);
    memcpy(f->delimiter, "\r\n--", 4);
    memcpy(f->delimiter + 4, boundary, size);
    f->delimiter_size = 4 + size;
    f->matched = 2; /* the first one stands at the beginning of a line, too */
}

void
api_fingerprint_begin(struct api_fingerprint *f, const struct api_request *rq)
{
    *f = (struct api_fingerprint){.piece = 0};
    sha256_init(&f->hash);
    find_delimiter(f, rq);
    hash_part(&f->hash, bytes_of_text(api_method_name(rq->method)));
    hash_part(&f->hash, bytes_of_text(rq->match.route->path));
    hash_part(&f->hash, bytes_of_text(rq->match.path.model));
    hash_part(&f->hash, bytes_of_text(rq->match.path.name));
    hash_query(&f->hash, rq);
    hash_headers(f, rq);
}

/* --- body ---------------------------------------------------------------------------------- */

static void
take(struct api_fingerprint *f, const void *bytes, size_t size)
{
    sha256_update(&f->hash, size, bytes);
    f->piece += size;
}

static void
end_piece(struct api_fingerprint *f)
{
    hash_length(&f->hash, f->piece);
    f->piece = 0;
}

/* A CR stands at the delimiter's beginning and nowhere else in it: what failed to match is content
 * up to the next one. */
static void
feed_form(struct api_fingerprint *f, struct bytes piece)
{
    const uint8_t *at = piece.data, *end = piece.data + piece.size;

    while (at < end) {
        if (f->matched == 0) {
            const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));

            take(f, at, (size_t)((cr == NULL ? end : cr) - at));
            f->matched = cr != NULL;
            at = cr == NULL ? end : cr + 1;
        } else if (*at != (uint8_t)f->delimiter[f->matched]) {
            take(f, f->delimiter, f->matched);
            f->matched = 0;
        } else {
            at++;
            if (++f->matched == f->delimiter_size) {
                end_piece(f);
                f->matched = 0;
            }
        }
    }
}

void
api_fingerprint_feed(struct api_fingerprint *f, struct bytes piece)
{
    if (f->delimiter_size > 0)
        feed_form(f, piece);
    else
        sha256_update(&f->hash, piece.size, piece.data);
}

void
api_fingerprint_end(struct api_fingerprint *f, uint8_t out[static SHA256_DIGEST_SIZE])
{
    take(f, f->delimiter, f->matched);
    if (f->delimiter_size > 0)
        end_piece(f);
    sha256_digest(&f->hash, SHA256_DIGEST_SIZE, out);
}
