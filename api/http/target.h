/* The request target, read once and strictly from its raw text: split first, decoded after, exactly
 * once. The library's own decoding is switched off: it cuts at %00 and turns %2F into a slash
 * before anybody can tell. */
#ifndef API_HTTP_TARGET_H
#define API_HTTP_TARGET_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_target {
    struct bytes path;  /* raw, begins with '/' */
    struct bytes query; /* raw, without '?'; empty when there is none */
};

/* Borrows from `raw`. Every percent sign begins an escape; the path decodes to clean UTF-8 without
 * control characters, '%' and ':', and has no segment that is ".", ".." or (but for the last)
 * empty, whether its slashes are literal or escaped. ERR_INVALID_ARGUMENT names the problem. */
ERR_MUST_CHECK enum err_code api_target_split(struct bytes raw, struct api_target *out,
                                              struct err *err);

/* Decodes what api_target_split accepted. Writes at most raw.size bytes; returns how many. */
size_t api_target_decode(struct bytes raw, uint8_t *out);

/* One half of a query argument: '+' is a space; NUL and broken UTF-8 are refused. *out borrows from
 * the arena and is NUL-terminated. */
ERR_MUST_CHECK enum err_code api_target_decode_query(struct bytes raw, struct arena *arena,
                                                     struct bytes *out, struct err *err);

#endif
