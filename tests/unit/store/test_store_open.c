/* Opening, closing, reopening; who is refused. */
#include "tests/unit/store/store_fixture.h"

static void
a_record_survives_closing_and_opening(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, "odd key", "value"), 1);
    fixture_reopen(f);
    must_hold(f, "odd key", "value");
    assert_int_equal(store_revision(f->store), 1);
    assert_int_equal(put(f, "odd key", NULL), 2);
    must_hold(f, "odd key", NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_record_survives_closing_and_opening),
    };

    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
