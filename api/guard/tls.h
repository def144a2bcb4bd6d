/* TLS: the certificate and its key, read from files at start and again on request; a connection
 * keeps the one it began with. TLS 1.2 and 1.3 only, with ephemeral keys and authenticated ciphers
 * only. */
#ifndef API_GUARD_TLS_H
#define API_GUARD_TLS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_connection;
struct api_tls;
struct api_tls_identity;

/* Errors name the file and what is wrong: not PEM, key and certificate of different pairs, a key
 * that others can read. Owned by the caller. */
ERR_MUST_CHECK enum err_code api_tls_open(const char *certificate_path, const char *key_path,
                                          struct api_tls **out, struct err *err);
void api_tls_drop(struct api_tls *tls); /* NULL is fine */
/* New connections get what the files hold now; on failure what they held. Any thread. */
ERR_MUST_CHECK enum err_code api_tls_reload(struct api_tls *tls, struct err *err);
enum { API_TLS_FINGERPRINT_BYTES_MAX = 65 };
/* The SHA-256 of the certificate in force, as `openssl x509 -fingerprint` tells it, without colons.
 */
void api_tls_fingerprint(struct api_tls *tls, char out[static API_TLS_FINGERPRINT_BYTES_MAX]);
/* When it ends, since 1970; 0 without TLS. */
double api_tls_expiry_s(struct api_tls *tls);
void api_tls_identity_drop(struct api_tls_identity *identity); /* NULL is fine */

enum { API_TLS_OPTIONS_MAX = 3 };
/* What the daemon is to be told beside MHD_USE_TLS; ends with MHD_OPTION_END. */
void api_tls_options(struct MHD_OptionItem out[static API_TLS_OPTIONS_MAX]);

/* Sends all of it past libmicrohttpd, and says that nothing follows. HTTP thread. False when it did
 * not go out at once; the connection is then of no more use. */
bool api_tls_send_last(struct MHD_Connection *mhd, struct bytes bytes);

/* A server that a socket is connected to. */
struct api_tls_peer {
    int descriptor;  /* borrows; what is sent has a timeout */
    uint64_t end_ms; /* of clock_monotonic_ms: no longer in all */
    ssize_t (*receive)(void *peer, void *out, size_t size); /* as recv; EAGAIN once that is over */
};

/* The other side: `ask` goes out, and `answer` gets the first bytes of what comes, as many as there
 * are before it ends or time is over. Whose the certificate is is not looked at. ERR_UNAVAILABLE:
 * this is not spoken there. */
ERR_MUST_CHECK enum err_code api_tls_ask(struct api_tls_peer *peer, struct bytes ask, char *answer,
                                         size_t size, struct err *err);

#endif
