/* Certificates. Always true: an identity in use, or in force, has a reference; it is freed when the
 * last connection that began with it is over. */
#include "api/guard/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "api/guard/secret_file.h"
#include "api/json/chars.h"
#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/base/scope.h"

enum { CHAIN_MAX = 16, FILE_BYTES_MAX = 1 << 20, KEY_ID_BYTES_MAX = 64 };

/* Without the key exchange of RSA alone, ciphers without authentication, and hashes of old. */
static const char priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:+AEAD:"
    "+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+CTYPE-X509:"
    "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512:+SIGN-ECDSA-SECP256R1-SHA256:"
    "+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-EDDSA-ED25519:+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:"
    "+SIGN-RSA-PSS-SHA512:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:"
    "+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:"
    "%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION";

struct api_tls_identity {
    _Atomic unsigned references;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    time_t expiry;
};

struct api_tls {
    char *certificate_path, *key_path;
    struct lock lock; /* guards the next */
    struct api_tls_identity *identity;
};

void
api_tls_identity_drop(struct api_tls_identity *identity)
{
    if (identity == NULL || atomic_fetch_sub(&identity->references, 1) > 1)
        return;
    for (unsigned i = 0; i < identity->chain_count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    gnutls_privkey_deinit(identity->key);
    mem_free(identity);
}

/* --- reading ------------------------------------------------------------------------------- */

static enum err_code
failed(int result, const char *path, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' is not usable: %s", what, path,
                   gnutls_strerror(result));
}

static gnutls_datum_t
datum_of(const struct buf *text)
{
    return (gnutls_datum_t){text->data, (unsigned)text->size};
}

/* One that is over is served all the same: clients say so to whoever can mend it. */
static enum err_code
read_expiry(struct api_tls_identity *identity, const char *path, struct err *err)
{
    gnutls_x509_crt_t certificate = NULL;
    int result = gnutls_pcert_export_x509(&identity->chain[0], &certificate);

    if (result < 0)
        return failed(result, path, "the certificate", err);
    identity->expiry = gnutls_x509_crt_get_expiration_time(certificate);
    gnutls_x509_crt_deinit(certificate);
    if (identity->expiry <= time(NULL))
        log_write(LOG_WARNING, "the certificate '%s' has expired", path);
    return OK;
}

static enum err_code
read_chain(struct api_tls_identity *identity, const char *path, struct err *err)
{
    static const char what[] = "the certificate";
    unsigned count = CHAIN_MAX;
    gnutls_datum_t pem;
    AUTO(buf) text;
    int result;

    buf_init(&text, FILE_BYTES_MAX);
    TRY(api_secret_file_read(path, what, S_IWGRP | S_IWOTH, &text, err));
    pem = datum_of(&text);
    result =
        gnutls_pcert_list_import_x509_raw(identity->chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
    if (result < 0)
        return failed(result, path, what, err);
    identity->chain_count = count;
    if (count == 0)
        return failed(GNUTLS_E_NO_CERTIFICATE_FOUND, path, what, err);
    return read_expiry(identity, path, err);
}

static enum err_code
read_key(struct api_tls_identity *identity, const char *path, struct err *err)
{
    static const char what[] = "the private key";
    gnutls_datum_t pem;
    AUTO(buf) text;
    int result;

    buf_init(&text, FILE_BYTES_MAX);
    TRY(api_secret_file_read(path, what, S_IWGRP | S_IRWXO, &text, err));
    pem = datum_of(&text);
    result = gnutls_privkey_import_x509_raw(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (text.data != NULL)
        gnutls_memset(text.data, 0, text.size);
    return result < 0 ? failed(result, path, what, err) : OK;
}

static enum err_code
check_pair(const struct api_tls_identity *identity, const char *certificate_path,
           const char *key_path, struct err *err)
{
    unsigned char ids[2][KEY_ID_BYTES_MAX];
    size_t sizes[2] = {KEY_ID_BYTES_MAX, KEY_ID_BYTES_MAX};
    gnutls_pubkey_t public = NULL;
    int result = gnutls_pubkey_init(&public);

    if (result >= 0)
        result = gnutls_pubkey_import_privkey(public, identity->key, 0, 0);
    if (result >= 0)
        result = gnutls_pubkey_get_key_id(public, 0, ids[0], &sizes[0]);
    if (result >= 0)
        result = gnutls_pubkey_get_key_id(identity->chain[0].pubkey, 0, ids[1], &sizes[1]);
    gnutls_pubkey_deinit(public);
    if (result < 0)
        return failed(result, key_path, "the private key", err);
    if (sizes[0] != sizes[1] || memcmp(ids[0], ids[1], sizes[0]) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the private key '%s' is not that of the certificate '%s'", key_path,
                       certificate_path);
    return OK;
}

static enum err_code
read_identity(const char *certificate_path, const char *key_path, struct api_tls_identity **out,
              struct err *err)
{
    struct api_tls_identity *identity = mem_zeroed(1, sizeof *identity, err);
    enum err_code code = OK;

    if (identity == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&identity->references, 1);
    if (gnutls_privkey_init(&identity->key) < 0) {
        mem_free(identity);
        return err_set(err, ERR_NO_MEMORY, "out of memory for a private key");
    }
    code = read_chain(identity, certificate_path, err);
    if (code == OK)
        code = read_key(identity, key_path, err);
    if (code == OK)
        code = check_pair(identity, certificate_path, key_path, err);
    if (code != OK) {
        api_tls_identity_drop(identity);
        return code;
    }
    *out = identity;
    return OK;
}

/* --- the files ----------------------------------------------------------------------------- */

enum err_code
api_tls_open(const char *certificate_path, const char *key_path, struct api_tls **out,
             struct err *err)
{
    struct api_tls *tls = mem_zeroed(1, sizeof *tls, err);
    enum err_code code = ERR_NO_MEMORY;

    if (tls == NULL)
        return ERR_NO_MEMORY;
    lock_init(&tls->lock);
    tls->certificate_path = mem_copy_text(certificate_path, strlen(certificate_path), err);
    tls->key_path = mem_copy_text(key_path, strlen(key_path), err);
    if (tls->certificate_path != NULL && tls->key_path != NULL)
        code = read_identity(certificate_path, key_path, &tls->identity, err);
    if (code != OK) {
        api_tls_drop(tls);
        return code;
    }
    *out = tls;
    return OK;
}

void
api_tls_drop(struct api_tls *tls)
{
    if (tls == NULL)
        return;
    api_tls_identity_drop(tls->identity);
    mem_free(tls->certificate_path);
    mem_free(tls->key_path);
    lock_drop(&tls->lock);
    mem_free(tls);
}

enum err_code
api_tls_reload(struct api_tls *tls, struct err *err)
{
    struct api_tls_identity *identity = NULL, *before;

    TRY(read_identity(tls->certificate_path, tls->key_path, &identity, err));
    lock_acquire(&tls->lock);
    before = tls->identity;
    tls->identity = identity;
    lock_release(&tls->lock);
    api_tls_identity_drop(before);
    return OK;
}

void
api_tls_fingerprint(struct api_tls *tls, char out[static API_TLS_FINGERPRINT_BYTES_MAX])
{
    unsigned char digest[(API_TLS_FINGERPRINT_BYTES_MAX - 1) / 2];
    size_t size = sizeof digest;
    int result;

    lock_acquire(&tls->lock);
    result = gnutls_fingerprint(GNUTLS_DIG_SHA256, &tls->identity->chain[0].cert, digest, &size);
    lock_release(&tls->lock);
    api_chars_hex(bytes_of(digest, result < 0 ? 0 : size), out);
}

double
api_tls_expiry_s(struct api_tls *tls)
{
    time_t expiry;

    if (tls == NULL)
        return 0;
    lock_acquire(&tls->lock);
    expiry = tls->identity->expiry;
    lock_release(&tls->lock);
    return (double)expiry;
}

/* --- connections --------------------------------------------------------------------------- */

/* GnuTLS asks in the handshake, with the connection as libmicrohttpd has it. */
static int
choose(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
       const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
       unsigned *chain_count, gnutls_privkey_t *key)
{
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *info =
        mhd == NULL ? NULL : MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct api_connection *connection = info == NULL ? NULL : info->socket_context;

    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    if (connection == NULL)
        return GNUTLS_E_MEMORY_ERROR;
    if (connection->identity == NULL) {
        struct api_tls *tls = connection->server->tls;

        lock_acquire(&tls->lock);
        connection->identity = tls->identity;
        atomic_fetch_add(&tls->identity->references, 1);
        lock_release(&tls->lock);
    }
    *chain = connection->identity->chain;
    *chain_count = connection->identity->chain_count;
    *key = connection->identity->key;
    return 0;
}

void
api_tls_options(struct MHD_OptionItem out[static API_TLS_OPTIONS_MAX])
{
    out[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)priorities};
    out[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)choose};
    out[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

bool
api_tls_send_last(struct MHD_Connection *mhd, struct bytes bytes)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info == NULL ? NULL : info->tls_session;

    while (session != NULL && bytes.size > 0) {
        ssize_t sent = gnutls_record_send(session, bytes.data, bytes.size);

        if (sent <= 0)
            return false;
        bytes = bytes_of(bytes.data + sent, bytes.size - (size_t)sent);
    }
    return session != NULL && gnutls_bye(session, GNUTLS_SHUT_WR) == GNUTLS_E_SUCCESS;
}

/* --- a client ------------------------------------------------------------------------------ */

struct asking {
    gnutls_session_t session;
    gnutls_certificate_credentials_t nobody; /* no certificate of ours, and none that we trust */
    uint64_t end_ms;
};

static void
asking_drop(struct asking *asking)
{
    if (asking->session != NULL)
        gnutls_deinit(asking->session);
    if (asking->nobody != NULL)
        gnutls_certificate_free_credentials(asking->nobody);
}

/* The same once more: a message of TLS itself came, or nothing, and there is time. */
static bool
is_to_be_repeated(const struct asking *asking, ssize_t result)
{
    return result < 0 && !gnutls_error_is_fatal((int)result) &&
           clock_monotonic_ms() < asking->end_ms;
}

static int
asking_open(struct asking *asking, struct api_tls_peer *peer)
{
    int result = gnutls_init(&asking->session, GNUTLS_CLIENT);

    if (result >= 0)
        result = gnutls_certificate_allocate_credentials(&asking->nobody);
    if (result >= 0)
        result = gnutls_credentials_set(asking->session, GNUTLS_CRD_CERTIFICATE, asking->nobody);
    if (result >= 0)
        result = gnutls_priority_set_direct(asking->session, priorities, NULL);
    if (result < 0)
        return result;
    /* The library's own timeouts begin anew with every byte of a record that comes. */
    gnutls_transport_set_ptr2(asking->session, peer,
                              (gnutls_transport_ptr_t)(intptr_t)peer->descriptor);
    gnutls_transport_set_pull_function(asking->session, peer->receive);
    do
        result = gnutls_handshake(asking->session);
    while (is_to_be_repeated(asking, result));
    return result;
}

enum err_code
api_tls_ask(struct api_tls_peer *peer, struct bytes ask, char *answer, size_t size, struct err *err)
{
    AUTO(asking) asking = {.end_ms = peer->end_ms};
    ssize_t result = asking_open(&asking, peer);

    if (result >= 0)
        do
            result = gnutls_record_send(asking.session, ask.data, ask.size);
        while (is_to_be_repeated(&asking, result));
    if (result != (ssize_t)ask.size)
        return err_set(err, ERR_UNAVAILABLE, "the server does not speak TLS: %s",
                       gnutls_strerror(result < 0 ? (int)result : GNUTLS_E_PUSH_ERROR));
    for (size_t had = 0; had < size && result != 0;) {
        result = gnutls_record_recv(asking.session, answer + had, size - had);
        if (result > 0)
            had += (size_t)result;
        else if (!is_to_be_repeated(&asking, result))
            break;
    }
    return OK;
}
