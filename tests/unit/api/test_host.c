/* Which names are answered to, and what pages may ask: each case with its decision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/guard/host.h"

static struct api_hosts *
opened(const char *bind, const char *allowed, const char *origins)
{
    struct api_hosts *hosts = NULL;

    assert_int_equal(api_hosts_open(bind, allowed, origins, &hosts, NULL), OK);
    return hosts;
}

static void
names_are_answered_to_or_not(void **state)
{
    static const struct {
        const char *bind, *allowed, *host;
        enum err_code code;
    } cases[] = {
        {"127.0.0.1", "", "localhost", OK},
        {"127.0.0.1", "", "LocalHost:80", OK},
        {"127.0.0.1", "", "127.9.9.9", OK},
        {"127.0.0.1", "", "[::1]:7840", OK},
        {"127.0.0.1", "", "[::ffff:127.0.0.1]", OK},
        {"127.0.0.1", "", "10.0.0.1", ERR_MISDIRECTED},
        {"127.0.0.1", "", "evil.example", ERR_MISDIRECTED},
        {"127.0.0.1", "", "localhost.evil.example", ERR_MISDIRECTED},
        {"127.0.0.1", "", "127.0.0.1.evil.example", ERR_MISDIRECTED},
        {"127.0.0.1", "", "", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", ":80", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", "localhost:", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", "localhost:65536", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", "localhost:8a", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", "[::1", ERR_INVALID_ARGUMENT},
        {"127.0.0.1", "", "[::1]x", ERR_INVALID_ARGUMENT},
        {"10.0.0.1", "", "10.0.0.1:7840", OK},
        {"10.0.0.1", "", "10.0.0.2", ERR_MISDIRECTED},
        {"0.0.0.0", "", "10.0.0.2", OK},
        {"0.0.0.0", "", "[2001:db8::1]", OK},
        {"0.0.0.0", "", "evil.example", ERR_MISDIRECTED},
        {"127.0.0.1", "a.example, b.example", "B.example:1", OK},
        {"127.0.0.1", "a.example", "x.a.example", ERR_MISDIRECTED},
        {"127.0.0.1", "*", "anything.example", OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_hosts *hosts = opened(cases[i].bind, cases[i].allowed, "");
        struct bytes host = bytes_of_text(cases[i].host);

        if (api_hosts_check(hosts, host, NULL) != cases[i].code)
            fail_msg("'%s' at %s (%s)", cases[i].host, cases[i].bind, cases[i].allowed);
        api_hosts_drop(hosts);
    }
    api_hosts_drop(NULL);
}

struct origin_case {
    int kind;
    bool tls;
    const char *origin, *site, *mode, *referer, *agent, *type, *token, *custom; /* NULL: not sent */
    bool passes, allowed;
};

#define PROGRAM .agent = "curl/8"
#define BROWSER .agent = "Mozilla/5.0"
#define FORM    .type = "text/plain; charset=utf-8"

static const struct origin_case cases[] = {
    {ORIGIN_WRITE, PROGRAM, FORM, .passes = true},
    {ORIGIN_WRITE, .passes = true},
    {ORIGIN_WRITE, .origin = "http://a.example:1", .passes = true},
    {ORIGIN_WRITE, .origin = "https://a.example:1", .passes = true},
    {ORIGIN_WRITE, .tls = true, .origin = "https://a.example:1", .passes = true},
    {ORIGIN_WRITE, .tls = true, .origin = "http://a.example:1"},
    {ORIGIN_WRITE, .origin = "http://a.example"},
    {ORIGIN_WRITE, .origin = "http://a.example:11"},
    {ORIGIN_WRITE, .origin = "null"},
    {ORIGIN_WRITE, .origin = ""},
    {ORIGIN_WRITE, .origin = "http://evil.example", .token = "Bearer x", .custom = "x"},
    {ORIGIN_WRITE, .origin = "https://lab.example", .site = "cross-site", .passes = true,
     .allowed = true},
    {ORIGIN_WRITE, .site = "same-origin", BROWSER, FORM, .passes = true},
    {ORIGIN_WRITE, .site = "none", BROWSER, FORM, .passes = true},
    {ORIGIN_WRITE, .site = "same-site"},
    {ORIGIN_WRITE, .site = "cross-site", .mode = "navigate"},
    {ORIGIN_WRITE, .site = "anything new"},
    {ORIGIN_WRITE, .referer = "http://a.example:1/page?x=//y", .passes = true},
    {ORIGIN_WRITE, .referer = "http://a.example:1", .passes = true},
    {ORIGIN_WRITE, .referer = "https://lab.example/x", .passes = true},
    {ORIGIN_WRITE, .referer = "http://evil.example/http://a.example:1/"},
    {ORIGIN_WRITE, .referer = "http://a.example:1.evil.example/"},
    {ORIGIN_WRITE, .referer = "//"},
    {ORIGIN_WRITE, .referer = ""},
    {ORIGIN_WRITE, BROWSER, FORM},
    {ORIGIN_WRITE, BROWSER},
    {ORIGIN_WRITE, BROWSER, .type = "application/json", .passes = true},
    {ORIGIN_WRITE, BROWSER, FORM, .token = "Bearer x", .passes = true},
    {ORIGIN_WRITE, BROWSER, FORM, .custom = "x", .passes = true},
    {ORIGIN_READ, BROWSER, .passes = true},
    {ORIGIN_READ, .origin = "http://evil.example", .passes = true},
    {ORIGIN_READ, .origin = "https://lab.example", .site = "cross-site", .mode = "cors",
     .passes = true, .allowed = true},
    {ORIGIN_READ, .referer = "http://evil.example/", .passes = true},
    {ORIGIN_READ, .site = "cross-site", .mode = "navigate", .passes = true},
    {ORIGIN_READ, .site = "cross-site", .mode = "no-cors"},
    {ORIGIN_READ, .site = "same-site"},
    {ORIGIN_READ, .site = "same-origin", .mode = "cors", .passes = true},
    {ORIGIN_PREFLIGHT, .origin = "http://evil.example", .site = "cross-site", .passes = true},
    {ORIGIN_PREFLIGHT, .origin = "https://lab.example", .passes = true, .allowed = true},
};

static struct bytes
sent(const char *text)
{
    return text == NULL ? bytes_of(NULL, 0) : bytes_of_text(text);
}

static void
pages_may_ask_or_not(void **state)
{
    struct api_hosts *hosts = opened("127.0.0.1", "", "https://lab.example");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct origin_case *c = &cases[i];
        struct api_origin_facts facts = {
            .kind = (int)c->kind,
            .tls = c->tls,
            .host = bytes_of_text("a.example:1"),
            .origin = sent(c->origin),
            .referer = sent(c->referer),
            .fetch_site = sent(c->site),
            .fetch_mode = sent(c->mode),
            .user_agent = sent(c->agent),
            .content_type = sent(c->type),
            .token = sent(c->token),
            .custom = sent(c->custom),
        };
        bool allowed = !c->allowed;
        enum err_code code = api_hosts_check_origin(hosts, &facts, &allowed, NULL);

        if (code != (c->passes ? OK : ERR_PERMISSION_DENIED))
            fail_msg("case %zu: %s", i, err_wire_name(code));
        if (allowed != c->allowed)
            fail_msg("case %zu is %s", i, allowed ? "allowed" : "not allowed");
    }
    api_hosts_drop(hosts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_answered_to_or_not),
        cmocka_unit_test(pages_may_ask_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
