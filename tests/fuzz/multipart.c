/* Covers api/http/multipart*.c, api/tensors/parts.c, api/tensors/tensor_table.c and
 * api/resource/gradients_alone.c. The first byte says how the body is cut into pieces, the rest of
 * that line is the Content-Type, what follows the body. Oracle: however it is cut, the same parts
 * or the same error come out; no content holds a line that begins with the boundary; and the parts
 * written anew, in the plainest form, are read as the same again. As a request: what is accepted
 * has a document, and tensors within the limits; what can be said of them as gradients is JSON. */
#include "api/http/multipart.h"

#include "api/resource/gradients_alone.h"
#include "api/tensors/parts.h"
#include "store/base/buf.h"
#include "store/base/check.h"
#include "store/base/scope.h"
#include "tests/support/pieces.h"

enum { TEXT_BYTES = 1 << 21, TENSOR_BYTES = 1 << 16, TENSORS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
close_multipart(struct api_multipart **m)
{
    api_multipart_drop(*m);
}

static void
write_text(struct buf *out, const char *text)
{
    CHECK(buf_append_text(out, text, NULL) == OK);
}

/* The headers of a part as they would be written by somebody careful. */
static void
write_headers(const struct api_multipart_part *part, const char *boundary, struct buf *out)
{
    write_text(out, out->size == 0 ? "--" : "\r\n--");
    write_text(out, boundary);
    write_text(out, "\r\nContent-Disposition: form-data; name=\"");
    for (const char *c = part->name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            write_text(out, "\\");
        CHECK(buf_append_byte(out, (uint8_t)*c, NULL) == OK);
    }
    write_text(out, "\"\r\n");
    if (part->media_type[0] != '\0') {
        write_text(out, "Content-Type: ");
        write_text(out, part->media_type);
        write_text(out, "\r\n");
    }
    write_text(out, "\r\n");
}

static void
check_content(struct bytes content, const char *boundary)
{
    char delimiter[API_MULTIPART_BOUNDARY_BYTES_MAX + 5] = "\r\n--";

    memcpy(delimiter + 4, boundary, strlen(boundary) + 1);
    CHECK(memmem(content.data, content.size, delimiter, strlen(delimiter)) == NULL);
    CHECK(!bytes_start_with(content, bytes_of_text(delimiter + 2)));
}

/* Reads the body and writes it anew. */
static enum err_code
rewrite(struct bytes type, struct pieces pieces, struct buf *out, struct err *err)
{
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};
    AUTO_CALL(close_multipart) struct api_multipart *m = NULL;
    char boundary[API_MULTIPART_BOUNDARY_BYTES_MAX + 1];
    struct api_multipart_part part;
    bool present = true;

    buf_init(out, TEXT_BYTES);
    TRY(api_multipart_open(type, &source, &m, err));
    CHECK(api_multipart_is_type(type) && api_multipart_boundary(type, boundary, NULL) == OK);
    for (;;) {
        size_t got = 1, begin;

        TRY(api_multipart_next(m, &part, &present, err));
        if (!present)
            break;
        CHECK(part.name[0] != '\0');
        write_headers(&part, boundary, out);
        begin = out->size;
        while (got > 0) {
            uint8_t bytes[97];

            TRY(api_multipart_read(m, bytes, sizeof bytes, &got, err));
            CHECK(buf_append(out, bytes, got, NULL) == OK);
        }
        check_content(bytes_of(out->data + begin, out->size - begin), boundary);
    }
    write_text(out, "\r\n--");
    write_text(out, boundary);
    write_text(out, "--\r\n");
    return OK;
}

static void
say_as_gradients(struct api_tensor_table *tensors)
{
    const struct api_json_limits limits = {TEXT_BYTES, TEXT_BYTES};
    const struct bytes none[API_GRADIENTS_ARGUMENTS] = {{NULL, 0}};
    struct api_json *doc = NULL;
    AUTO(buf) out = {0};

    buf_init(&out, TEXT_BYTES);
    if (api_gradients_text(tensors, none, &out, NULL) != OK)
        return;
    CHECK(api_json_parse(buf_bytes(&out), &limits, &doc, NULL) == OK);
    api_json_drop(doc);
}

static void
read_as_request(struct bytes type, struct pieces pieces)
{
    const struct api_parts_limits limits = {.json = {TEXT_BYTES, TEXT_BYTES},
                                            .tensors = {TENSOR_BYTES, TENSORS}};
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};
    AUTO(arena) arena = {0};
    AUTO(api_parts) parts = {0};
    struct err err = ERR_INIT;
    uint64_t total = 0;

    arena_init(&arena, TEXT_BYTES);
    if (api_parts_read(type, &source, &limits, &arena, &parts, &err) != OK) {
        CHECK(err.text[0] != '\0' && parts.doc == NULL && parts.tensors.entries == NULL);
        return;
    }
    CHECK(parts.doc != NULL && parts.tensors.count <= TENSORS);
    for (size_t i = 0; i < parts.tensors.count; i++) {
        total += parts.tensors.entries[i].tensor.size;
        CHECK(api_tensor_table_use(&parts.tensors, parts.tensors.entries[i].key) ==
              &parts.tensors.entries[i]);
    }
    say_as_gradients(&parts.tensors);
    CHECK(total <= TENSOR_BYTES && api_tensor_table_end(&parts.tensors, NULL) == OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line_end = size == 0 ? NULL : memchr(data, '\n', size);
    AUTO(buf) whole = {0};
    AUTO(buf) cut = {0};
    AUTO(buf) again = {0};
    struct err err = ERR_INIT, cut_err = ERR_INIT;
    struct bytes type, body;
    enum err_code code;

    if (line_end == NULL || line_end == data)
        return 0;
    type = bytes_of(data + 1, (size_t)(line_end - data) - 1);
    body = bytes_of(line_end + 1, size - type.size - 2);
    read_as_request(type, (struct pieces){.left = body, .piece = data[0] % 9});
    code = rewrite(type, (struct pieces){.left = body}, &whole, &err);
    CHECK(code == rewrite(type,
                          (struct pieces){.left = body, .first = data[0], .piece = data[0] % 9},
                          &cut, &cut_err));
    CHECK(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    if (code != OK) {
        CHECK(err.text[0] != '\0' && strcmp(err.text, cut_err.text) == 0);
        return 0;
    }
    CHECK(rewrite(type, (struct pieces){.left = buf_bytes(&whole)}, &again, NULL) == OK);
    CHECK(bytes_equal(buf_bytes(&whole), buf_bytes(&again)));
    return 0;
}
