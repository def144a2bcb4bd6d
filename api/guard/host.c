/* Which names this server answers to. Always true: a name that is neither a loopback address, nor
 * the address listened on, nor listed is refused, whatever address it leads to; that is what makes
 * DNS rebinding useless. When every address is listened on, any literal address is accepted: an
 * attacker needs a name. */
#include "api/guard/host.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/json/chars.h"
#include "store/base/alloc.h"

struct api_hosts {
    char *bind, *allowed, *origins;
    bool any_host, any_address;
};

void
api_hosts_drop(struct api_hosts *hosts)
{
    if (hosts == NULL)
        return;
    mem_free(hosts->bind);
    mem_free(hosts->allowed);
    mem_free(hosts->origins);
    mem_free(hosts);
}

static bool
list_has(const char *list, struct bytes item)
{
    struct bytes rest = bytes_of_text(list), one;

    while (api_chars_next(&rest, ',', &one)) {
        char text[256];

        one = api_chars_trim(one);
        if (one.size == 0 || one.size >= sizeof text || one.size != item.size)
            continue;
        memcpy(text, one.data, one.size);
        text[one.size] = '\0';
        if (api_chars_equal(item, text))
            return true;
    }
    return false;
}

enum err_code
api_hosts_open(const char *bind, const char *allowed_hosts, const char *cors_origins,
               struct api_hosts **out, struct err *err)
{
    struct api_hosts *hosts = mem_zeroed(1, sizeof *hosts, err);

    if (hosts == NULL)
        return ERR_NO_MEMORY;
    hosts->bind = mem_copy_text(bind, strlen(bind), err);
    hosts->allowed = mem_copy_text(allowed_hosts, strlen(allowed_hosts), err);
    hosts->origins = mem_copy_text(cors_origins, strlen(cors_origins), err);
    if (hosts->bind == NULL || hosts->allowed == NULL || hosts->origins == NULL) {
        api_hosts_drop(hosts);
        return ERR_NO_MEMORY;
    }
    hosts->any_host = list_has(allowed_hosts, bytes_of_text("*"));
    hosts->any_address = strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0;
    *out = hosts;
    return OK;
}

/* "name", "name:port", "[::1]", "[::1]:port" -> the name without brackets and port. */
static bool
cut_port(struct bytes host, char *out, size_t out_size)
{
    const uint8_t *end;
    struct bytes name = host, port = {0};
    uint64_t number = 0;

    if (host.size > 0 && host.data[0] == '[') {
        end = memchr(host.data, ']', host.size);
        if (end == NULL)
            return false;
        name = bytes_of(host.data + 1, (size_t)(end - host.data) - 1);
        port = bytes_of(end + 1, host.size - name.size - 2);
    } else if ((end = memchr(host.data, ':', host.size)) != NULL) {
        name = bytes_of(host.data, (size_t)(end - host.data));
        port = bytes_of(end, host.size - name.size);
    }
    if (port.size > 0 &&
        (port.data[0] != ':' || !api_chars_u64(bytes_of(port.data + 1, port.size - 1), &number) ||
         number > UINT16_MAX))
        return false;
    if (name.size == 0 || name.size >= out_size || memchr(name.data, '\0', name.size) != NULL)
        return false;
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
    return true;
}

static bool
is_address(const char *name)
{
    unsigned char address[16];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

bool
api_host_is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return api_chars_equal(bytes_of_text(address), "localhost");
}

enum err_code
api_hosts_check(const struct api_hosts *hosts, struct bytes host, struct err *err)
{
    char name[256];

    if (host.data == NULL || host.size == 0 || !cut_port(host, name, sizeof name))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the Host header is not a name with or without port");
    if (hosts->any_host || api_host_is_loopback(name) ||
        api_chars_equal(bytes_of_text(name), hosts->bind) ||
        (hosts->any_address && is_address(name)) || list_has(hosts->allowed, bytes_of_text(name)))
        return OK;
    return err_set(
        err, ERR_MISDIRECTED,
        "this server does not answer to '%s': use localhost or an address, or start it with "
        "--allowed-hosts",
        name);
}

/* Scheme and Host: the page came from here. Without TLS of our own there may be some in front. */
static bool
is_own_origin(const struct api_origin_facts *facts, struct bytes origin)
{
    static const char *const schemes[] = {"https://", "http://"};
    size_t count = facts->tls ? 1 : 2;

    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(schemes[i]);

        if (origin.size == length + facts->host.size &&
            memcmp(origin.data, schemes[i], length) == 0 &&
            memcmp(origin.data + length, facts->host.data, facts->host.size) == 0)
            return true;
    }
    return false;
}

/* "https://a.example/page?x" -> "https://a.example" */
static struct bytes
origin_of(struct bytes address)
{
    const uint8_t *end = address.size == 0 ? NULL : memmem(address.data, address.size, "//", 2);
    size_t begin = end == NULL ? 0 : (size_t)(end - address.data) + 2;

    end = memchr(address.data + begin, '/', address.size - begin);
    return end == NULL ? address : bytes_of(address.data, (size_t)(end - address.data));
}

static bool
is_foreign(const struct api_hosts *hosts, const struct api_origin_facts *facts)
{
    struct bytes origin;

    if (facts->origin.data != NULL)
        return !is_own_origin(facts, facts->origin);
    if (facts->fetch_site.data != NULL)
        return !api_chars_equal(facts->fetch_site, "none") &&
               !api_chars_equal(facts->fetch_site, "same-origin");
    if (facts->kind != ORIGIN_WRITE || facts->referer.data == NULL)
        return false;
    origin = origin_of(facts->referer);
    return !is_own_origin(facts, origin) && !list_has(hosts->origins, origin);
}

/* Of a browser of old, with nothing in it that a page of another site could not have made it send.
 */
static bool
may_be_form(const struct api_origin_facts *facts)
{
    static const char *const types[] = {"application/x-www-form-urlencoded", "multipart/form-data",
                                        "text/plain"};
    struct bytes rest = facts->content_type, type = {NULL, 0};

    if (facts->origin.data != NULL || facts->fetch_site.data != NULL || facts->token.data != NULL ||
        facts->custom.data != NULL || facts->user_agent.data == NULL ||
        !bytes_start_with(facts->user_agent, bytes_of_text("Mozilla/")))
        return false;
    if (!api_chars_next(&rest, ';', &type))
        return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (api_chars_equal(api_chars_trim(type), types[i]))
            return true;
    return false;
}

enum err_code
api_hosts_check_origin(const struct api_hosts *hosts, const struct api_origin_facts *facts,
                       bool *allowed, struct err *err)
{
    *allowed = facts->origin.data != NULL && list_has(hosts->origins, facts->origin);
    if (*allowed || facts->kind == ORIGIN_PREFLIGHT)
        return OK;
    if (facts->kind == ORIGIN_WRITE && may_be_form(facts))
        return err_set(err, ERR_PERMISSION_DENIED,
                       "a browser that does not tell where its page comes from may not change "
                       "anything here without the header X-Requested-With");
    if (!is_foreign(hosts, facts))
        return OK;
    if (facts->kind == ORIGIN_WRITE)
        return err_set(err, ERR_PERMISSION_DENIED,
                       "a page of another origin may not change anything here: list the origin in "
                       "--cors-origins");
    if (facts->fetch_site.data == NULL || api_chars_equal(facts->fetch_mode, "navigate"))
        return OK; /* the browser keeps the reply from the page */
    return err_set(err, ERR_PERMISSION_DENIED,
                   "a page of another origin may not use what is here: list the origin in "
                   "--cors-origins");
}
