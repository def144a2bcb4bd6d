/* Small helpers around text: UTF-8, base64, JSON strings, the nearest of some names. */
#ifndef API_JSON_TEXT_H
#define API_JSON_TEXT_H

#include "store/base/buf.h"

enum { API_UTF8_BYTES_MAX = 4 }; /* of a character */

/* The length of the character that text begins with; 0 when it is not valid UTF-8, or there is
 * none. */
size_t api_utf8_character(struct bytes text);
/* The length of the longest prefix that is valid UTF-8 (no surrogates, no overlong forms). */
size_t api_utf8_prefix(struct bytes text);
bool api_utf8_valid(struct bytes text);
/* The largest size <= size at which text can be cut without splitting a character. */
size_t api_utf8_cut(struct bytes text, size_t size);

/* A character (no surrogate) as UTF-8; returns how many bytes. */
size_t api_utf8_put(uint32_t character, uint8_t out[static API_UTF8_BYTES_MAX]);

/* Any bytes for a message: cut; what is no UTF-8, and control characters, replaced. Returns out. */
enum { API_SHOWN_BYTES_MAX = 120 };
const char *api_text_shown(struct bytes text, char out[static API_SHOWN_BYTES_MAX + 1]);

/* Appends `text` as a JSON string, quotes included: " and \ and control characters escaped (\b \f
 * \n \r \t, else \u001f), everything else as it is. The text is valid UTF-8. */
ERR_MUST_CHECK enum err_code api_json_escape(struct bytes text, struct buf *out, struct err *err);
/* The bytes a JSON string stands for. `inner` is what is between the quotes and has passed the
 * scanner of json_reader.h, so nothing in it can be wrong. Writes at most inner.size bytes to `out`
 * (NULL: only counts); returns how many. */
size_t api_json_unescape(struct bytes inner, uint8_t *out);

/* Appends with padding. */
ERR_MUST_CHECK enum err_code api_base64_encode(struct bytes bytes, struct buf *out,
                                               struct err *err);
/* How many bytes `text` stands for, judging by its length and padding. False: no base64 has this
 * length. */
bool api_base64_size(struct bytes text, size_t *out);
/* RFC 4648, with the + and / alphabet; padding as it must be or absent; no white space; unused bits
 * zero. Writes api_base64_size bytes. False: something else is in the text. */
bool api_base64_decode(struct bytes text, uint8_t *out);

/* The name that was probably meant, NULL when none is near (service/name.h). */
const char *api_nearest_name(const char *name, const char *const *names, size_t count);

#endif
