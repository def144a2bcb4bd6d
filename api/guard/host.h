/* Names this server answers to, and web pages that may call it.
 *
 * A page on the Internet can make a browser send requests to this machine: under a name of its own
 * that it points here (DNS rebinding: the Host header tells), or across sites (Origin and
 * Sec-Fetch-Site tell). Requests of programs have neither problem. */
#ifndef API_GUARD_HOST_H
#define API_GUARD_HOST_H

#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_hosts;

/* `bind`: the literal address listened on. Lists are comma separated. Owned by the caller. */
ERR_MUST_CHECK enum err_code api_hosts_open(const char *bind, const char *allowed_hosts,
                                            const char *cors_origins, struct api_hosts **out,
                                            struct err *err);
void api_hosts_drop(struct api_hosts *hosts); /* NULL is fine */

/* Host: value, with or without a port. ERR_MISDIRECTED, ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code api_hosts_check(const struct api_hosts *hosts, struct bytes host,
                                             struct err *err);

/* What a request says about where it comes from; data NULL: it does not say. */
struct api_origin_facts {
    enum { ORIGIN_PREFLIGHT, ORIGIN_READ, ORIGIN_WRITE } kind;
    bool tls; /* of this connection */
    struct bytes host, origin, referer;
    struct bytes fetch_site, fetch_mode; /* Sec-Fetch-… */
    struct bytes user_agent, content_type;
    struct bytes token, custom; /* Authorization, X-Requested-With: no page adds them unasked */
};
/* *allowed: the origin is on the list, so the reply may be read by its page. ERR_PERMISSION_DENIED:
 *   - a write from a page of another origin that is not on the list, by Origin, else by
 *     Sec-Fetch-Site, else by Referer;
 *   - a write of a browser that tells none of them, and is what a form can send;
 *   - a read from such a page that is no visit: an image, a script, a frame's content.
 * What is no browser sends none of these, and is let through. */
ERR_MUST_CHECK enum err_code api_hosts_check_origin(const struct api_hosts *hosts,
                                                    const struct api_origin_facts *facts,
                                                    bool *allowed, struct err *err);

/* "127.0.0.1", "::1" and "localhost" are; names and other addresses are not. */
bool api_host_is_loopback(const char *address);

#endif
