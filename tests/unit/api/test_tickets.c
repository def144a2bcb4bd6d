/* Tickets are good once, for a while, for the token they were made with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/guard/tickets.h"

#define LINE "a sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad read\n"

static struct api_tickets *
opened(uint64_t count_max, uint64_t keep_ms)
{
    struct api_tickets *tickets = NULL;

    assert_int_equal(api_tickets_open(count_max, keep_ms, &tickets, NULL), OK);
    return tickets;
}

static bool
take(struct api_tickets *tickets, const char *ticket, uint64_t now_ms,
     const struct api_token **token)
{
    struct api_tokens *tokens = NULL;
    bool good;

    *token = NULL;
    good = api_tickets_take(tickets, bytes_of_text(ticket), now_ms, &tokens, token);
    api_tokens_drop(tokens);
    return good;
}

static void
a_ticket_is_good_once(void **state)
{
    struct api_tickets *tickets = opened(4, 1000);
    const struct api_token *token;
    char first[API_TICKET_BYTES + 1], second[API_TICKET_BYTES + 1];

    (void)state;
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 0, first, NULL), OK);
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 0, second, NULL), OK);
    assert_int_equal(strlen(first), API_TICKET_BYTES);
    assert_string_not_equal(first, second);
    assert_true(take(tickets, first, 1, &token));
    assert_false(take(tickets, first, 1, &token));
    assert_false(take(tickets, "", 1, &token));
    second[0] = second[0] == 'a' ? 'b' : 'a';
    assert_false(take(tickets, second, 1, &token));
    api_tickets_drop(tickets);
    api_tickets_drop(NULL);
}

static void
a_ticket_is_good_for_a_while(void **state)
{
    struct api_tickets *tickets = opened(1, 1000);
    const struct api_token *token;
    char ticket[API_TICKET_BYTES + 1];

    (void)state;
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 5, ticket, NULL), OK);
    assert_true(take(tickets, ticket, 1004, &token));
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 5, ticket, NULL), OK);
    assert_false(take(tickets, ticket, 1005, &token));
    assert_false(take(tickets, ticket, 6, &token));
    api_tickets_drop(tickets);
}

static void
there_are_only_so_many(void **state)
{
    struct api_tickets *tickets = opened(2, 1000);
    const struct api_token *token;
    char first[API_TICKET_BYTES + 1], other[API_TICKET_BYTES + 1];

    (void)state;
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 0, first, NULL), OK);
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 500, other, NULL), OK);
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 999, other, NULL), ERR_BUSY);
    /* the first is over: its place is free */
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 1000, other, NULL), OK);
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 1000, other, NULL), ERR_BUSY);
    assert_false(take(tickets, first, 1000, &token));
    api_tickets_clear(tickets);
    assert_int_equal(api_tickets_make(tickets, NULL, NULL, 1000, other, NULL), OK);
    assert_true(take(tickets, other, 1000, &token));
    api_tickets_drop(tickets);
}

/* The set a ticket was made with lives as long as it, or who took it, needs it. */
static void
a_ticket_carries_its_token(void **state)
{
    struct api_tickets *tickets = opened(2, 1000);
    struct api_tokens *tokens = NULL, *taken = NULL;
    const struct api_token *token;
    char ticket[API_TICKET_BYTES + 1], unused[API_TICKET_BYTES + 1];
    uint8_t digest[API_TOKEN_DIGEST_BYTES];

    (void)state;
    assert_int_equal(api_tokens_parse(bytes_of_text(LINE), "t", &tokens, NULL), OK);
    api_token_digest(bytes_of_text("abc"), digest);
    token = api_tokens_find(tokens, digest, 0);
    assert_non_null(token);
    assert_int_equal(api_tickets_make(tickets, tokens, token, 0, ticket, NULL), OK);
    assert_int_equal(api_tickets_make(tickets, tokens, token, 0, unused, NULL), OK);
    api_tokens_drop(tokens);
    assert_true(api_tickets_take(tickets, bytes_of_text(ticket), 1, &taken, &token));
    api_tickets_drop(tickets);
    assert_string_equal(token->name, "a");
    api_tokens_drop(taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_good_once),
        cmocka_unit_test(a_ticket_is_good_for_a_while),
        cmocka_unit_test(there_are_only_so_many),
        cmocka_unit_test(a_ticket_carries_its_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
