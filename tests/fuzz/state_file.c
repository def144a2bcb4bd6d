/* Covers api/file/state_file.c: any text. What is read is written and read again as the same, with
 * one path more too. */
#include "api/file/state_file.h"

#include "store/base/check.h"
#include "store/base/scope.h"

enum { ARENA_BYTES = 64 << 20, TEXT_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_and_read_again(const struct api_state_file *state)
{
    AUTO(arena) arena = {0};
    AUTO(buf) text = {0};
    struct api_state_file again = {.path_count = 0};

    arena_init(&arena, ARENA_BYTES);
    buf_init(&text, TEXT_BYTES);
    CHECK(api_state_file_write(state, &text, NULL) == OK);
    if (text.size > API_STATE_FILE_BYTES_MAX)
        return; /* escapes take more room */
    CHECK(api_state_file_read(buf_bytes(&text), &arena, &again, NULL) == OK);
    CHECK((again.latest.data == NULL) == (state->latest.data == NULL));
    CHECK(state->latest.data == NULL || bytes_equal(again.latest, state->latest));
    CHECK(again.path_count == state->path_count);
    for (size_t i = 0; i < again.path_count; i++)
        CHECK(bytes_equal(again.paths[i], state->paths[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) arena = {0};
    struct api_state_file state = {.path_count = 0};
    struct err err = ERR_INIT;

    arena_init(&arena, ARENA_BYTES);
    if (api_state_file_read(bytes_of(data, size), &arena, &state, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < state.path_count; i++)
        CHECK(memchr(state.paths[i].data, '\0', state.paths[i].size) == NULL);
    write_and_read_again(&state);
    CHECK(api_state_file_add(&state, bytes_of_text("model.ckpt-7"), &arena, NULL) == OK);
    CHECK(bytes_equal(state.latest, state.paths[state.path_count - 1]));
    write_and_read_again(&state);
    return 0;
}
