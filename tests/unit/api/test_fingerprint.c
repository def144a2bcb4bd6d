/* Fingerprints of requests: the same for what means the same, however it is cut and whatever the
 * boundary of a form is called; another for anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "api/http/fingerprint.h"
#include "api/state.h"

static const struct api_route route = {.method = METHOD_POST, .path = "/v1/models/{model}:run"};

struct print {
    uint8_t bytes[SHA256_DIGEST_SIZE];
};

/* Of a POST with this Content-Type (NULL: none) and body, fed `step` bytes at a time. */
static struct print
print_of(const char *type, struct bytes body, size_t step)
{
    struct api_request *rq = calloc(1, sizeof *rq);
    struct api_fingerprint f;
    struct print print;

    assert_non_null(rq);
    rq->method = METHOD_POST;
    rq->match.route = &route;
    rq->head.fields = rq->head_fields;
    if (type != NULL)
        rq->head_fields[rq->head.count++] =
            (struct api_header){bytes_of_text("content-type"), bytes_of_text(type)};
    api_fingerprint_begin(&f, rq);
    for (size_t at = 0; at < body.size; at += step) {
        size_t size = body.size - at < step ? body.size - at : step;

        api_fingerprint_feed(&f, bytes_of(body.data + at, size));
    }
    api_fingerprint_end(&f, print.bytes);
    free(rq);
    return print;
}

static bool
are_equal(struct print a, struct print b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static struct print
form(const char *boundary, const char *body, size_t step)
{
    char type[200];

    snprintf(type, sizeof type, "multipart/form-data; boundary=%s", boundary);
    return print_of(type, bytes_of_text(body), step);
}

static void
cuts_do_not_matter(void **state)
{
    static const char body[] = "--b\r\n\r\n\r\r\n-\r\n--\r\n--a\r\n--b\r\n\r\n--bb\r\n--b--\r\n\r";
    struct print whole = form("b", body, sizeof body), plain;

    (void)state;
    plain = print_of("application/json", bytes_of_text(body), sizeof body);
    assert_false(are_equal(whole, plain));
    for (size_t step = 1; step < sizeof body; step++) {
        assert_true(are_equal(form("b", body, step), whole));
        assert_true(are_equal(print_of("application/json", bytes_of_text(body), step), plain));
    }
}

static void
the_name_of_the_boundary_does_not_matter(void **state)
{
    struct print first = form("b", "--b\r\nA: 1\r\n\r\nxy\r\n--b--\r\n", 3);

    (void)state;
    assert_true(are_equal(form("cc", "--cc\r\nA: 1\r\n\r\nxy\r\n--cc--\r\n", 5), first));
    assert_true(are_equal(form("\"c c\"", "--c c\r\nA: 1\r\n\r\nxy\r\n--c c--\r\n", 1), first));
}

static void
what_differs_is_told_apart(void **state)
{
    static const char *const bodies[] = {
        "",
        "\r\n",
        "--b",
        "--b--\r\n",
        "\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n--b--\r\n",
        "--b\r\n\r\ny\r\n--b--\r\n",
        "--b\r\n\r\nxx\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n--b\r\n\r\n\r\n--b--\r\n",
        "--b\r\n\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        "--b\r\n\r\nx--b--\r\n",
        "--b\r\n\r\nx\n--b--\r\n",
        "--b\r\n\r\nx\r--b--\r\n",
        "--c\r\n\r\nx\r\n--c--\r\n", /* another's delimiters are content */
        "--b\r\n\r\nx\r\n--b--\r\n\r",
        "--b\r\n\r\nx\r\n--b--\r\n\r\n-",
        "--b\r\n\r\nx\r\n--b--\r\n\r\n--",
    };
    enum { COUNT = sizeof bodies / sizeof *bodies };
    struct print prints[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        prints[i] = form("b", bodies[i], 4);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i; k++)
            if (are_equal(prints[i], prints[k]))
                fail_msg("bodies %zu and %zu are taken for one", k, i);
}

/* Without a boundary it is bytes like any other. */
static void
a_form_without_a_boundary_is_bytes(void **state)
{
    struct bytes one = bytes_of_text("--b--"), other = bytes_of_text("--c--");

    (void)state;
    assert_false(are_equal(print_of("multipart/form-data", one, 2),
                           print_of("multipart/form-data", other, 2)));
    assert_false(are_equal(print_of("multipart/form-data", one, 2), print_of(NULL, one, 2)));
    assert_true(are_equal(print_of(NULL, one, 2), print_of(NULL, one, 3)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(the_name_of_the_boundary_does_not_matter),
        cmocka_unit_test(what_differs_is_told_apart),
        cmocka_unit_test(a_form_without_a_boundary_is_bytes),
    };

    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
