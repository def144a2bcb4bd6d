/* multipart/form-data (RFC 7578, over the grammar of RFC 2046), read as it comes.
 *
 * Strict: what two readers could understand in two ways is ERR_INVALID_ARGUMENT in words. Nothing
 * stands before the first boundary or behind the last; a line that begins with the boundary is a
 * boundary; lines end with CR LF; every part has a Content-Disposition with a name. A part may be
 * of any size: memory is one window, whatever comes.
 *
 * The library's MHD_create_post_processor was looked at first. It skips what stands before the
 * first boundary, takes a lone LF for a line end, everything behind "boundary=" for the boundary,
 * and a part without Content-Disposition for one without a name; it knows no escapes in names and
 * opens multipart/mixed inside of parts; and all it says of a broken body is no. */
#ifndef API_HTTP_MULTIPART_H
#define API_HTTP_MULTIPART_H

#include "api/tensors/byte_source.h"
#include "store/base/bytes.h"

#include <stdbool.h>

enum {
    API_MULTIPART_BOUNDARY_BYTES_MAX = 70, /* RFC 2046 */
    API_MULTIPART_HEADER_BYTES_MAX = 8192, /* of one part, all lines */
    API_MULTIPART_NAME_BYTES_MAX = 255,
    API_MULTIPART_TYPE_BYTES_MAX = 127,
    API_MULTIPART_PADDING_BYTES_MAX = 64, /* blanks behind a boundary */
    API_MULTIPART_PARTS_MAX = 64,
    API_MULTIPART_WINDOW_BYTES = 64 * 1024,
};

struct api_multipart_part {
    char name[API_MULTIPART_NAME_BYTES_MAX + 1]; /* UTF-8 without control characters, not empty */
    char media_type[API_MULTIPART_TYPE_BYTES_MAX + 1]; /* without parameters; "" when not given */
};

struct api_multipart;

/* `content_type`: of the request, with its boundary; not used afterwards. Owned by the caller:
 * api_multipart_drop. Borrows what `source` reads from. */
ERR_MUST_CHECK enum err_code api_multipart_open(struct bytes content_type,
                                                const struct api_byte_source *source,
                                                struct api_multipart **out, struct err *err);
void api_multipart_drop(struct api_multipart *m); /* NULL is fine */
/* The next part's headers; what was not read of the one before is passed over. *present false: that
 * was the last, and the body has ended. */
ERR_MUST_CHECK enum err_code api_multipart_next(struct api_multipart *m,
                                                struct api_multipart_part *out, bool *present,
                                                struct err *err);
/* Bytes of the part that is open; *got 0 at its end. As an api_byte_source's read. */
ERR_MUST_CHECK enum err_code api_multipart_read(void *multipart, void *out, size_t size,
                                                size_t *got, struct err *err);

/* --- heads --------------------------------------------------------------------------------- */

/* The type is multipart/form-data, whatever follows it. */
bool api_multipart_is_type(struct bytes content_type);
/* The boundary, NUL-terminated. */
ERR_MUST_CHECK enum err_code
api_multipart_boundary(struct bytes content_type,
                       char out[static API_MULTIPART_BOUNDARY_BYTES_MAX + 1], struct err *err);
/* `block`: the header lines of part `number` (from 1, for messages), each with its CR LF. */
ERR_MUST_CHECK enum err_code api_multipart_headers(struct bytes block, unsigned number,
                                                   struct api_multipart_part *out, struct err *err);

#endif
