/* Settings from defaults, file, environment and flags, and what is said about wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/settings.h"
#include "tests/support/unit.h"

enum { WORDS_MAX = 16 };

/* Words separated by blanks, as a command line. */
static enum err_code
read_words(const char *line, struct settings *out, bool *help, bool *version, struct err *err)
{
    char text[1024], *words[WORDS_MAX] = {NULL}, *word = text;
    int count = 0;

    snprintf(text, sizeof text, "tensorkeep %s", line);
    while (word != NULL && count < WORDS_MAX - 1) {
        char *blank = strchr(word, ' ');

        if (blank != NULL)
            *blank++ = '\0';
        if (word[0] != '\0')
            words[count++] = word;
        word = blank;
    }
    return settings_read(count, words, out, help, version, err);
}

static enum err_code
read_line(const char *line, struct settings *out, struct err *err)
{
    bool help, version;

    return read_words(line, out, &help, &version, err);
}

static void
defaults_hold_without_anything(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line("", &s, NULL), OK);
    assert_string_equal(s.bind, "127.0.0.1");
    assert_int_equal(s.port, 7840);
    assert_false(s.insecure);
    assert_true(s.upload_max_bytes == UINT64_C(64) << 30);
    assert_string_equal(s.durability, "commit");
}

static void
flags_take_both_spellings_and_units(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(
        read_line("--port=0 --json-body-max-bytes 64k --upload_max_bytes=2g --insecure "
                  "--access-log=false --idle-timeout-ms 5s --header-timeout-ms=250ms "
                  "--data /a=b",
                  &s, NULL),
        OK);
    assert_int_equal(s.port, 0);
    assert_int_equal(s.json_body_max_bytes, 65536);
    assert_true(s.upload_max_bytes == UINT64_C(2) << 30);
    assert_true(s.insecure);
    assert_false(s.access_log);
    assert_int_equal(s.idle_timeout_ms, 5000);
    assert_int_equal(s.header_timeout_ms, 250);
    assert_string_equal(s.data, "/a=b");
}

static void
wrong_flags_are_named(void **state)
{
    static const struct {
        const char *line, *said, *said_too;
    } cases[] = {
        {"--prot 1", "prot", "'port'"},
        {"--json-body-max-byte 1", "json-body-max-byte", "'json_body_max_bytes'"},
        {"--xyzzy", "xyzzy", "no setting"},
        {"port", "port", "flags begin with --"},
        {"--port", "--port", "needs a value"},
        {"--port x", "'port'", "'x'"},
        {"--port 1x", "'port'", "'1x'"},
        {"--port -1", "'port'", "'-1'"},
        {"--port=", "'port'", "''"},
        {"--port 65536", "65536", "between 0 and 65535"},
        {"--port 99999999999999999999", "'port'", "whole number"},
        {"--insecure=maybe", "'insecure'", "true or false"},
        {"--json-body-max-bytes 1x", "'json_body_max_bytes'", "64k"},
        {"--json-body-max-bytes 99999999999999t", "'json_body_max_bytes'", "64k"},
        {"--json-body-max-bytes 1s", "'json_body_max_bytes'", "64k"},
        {"--idle-timeout-ms 1k", "'idle_timeout_ms'", "30s"},
        {"--", "command line", "no setting"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = ERR_INIT;
        struct settings s;

        if (read_line(cases[i].line, &s, &err) != ERR_INVALID_ARGUMENT)
            fail_msg("'%s' was taken", cases[i].line);
        if (strstr(err.text, cases[i].said) == NULL || strstr(err.text, cases[i].said_too) == NULL)
            fail_msg("'%s': %s", cases[i].line, err.text);
    }
}

static void
texts_past_their_room_are_refused(void **state)
{
    char flag[SETTING_TEXT_BYTES_MAX + 16] = "--data=", program[] = "tensorkeep";
    char *arguments[] = {program, flag, NULL};
    bool help, version;
    struct settings s;

    (void)state;
    memset(flag + 7, 'x', SETTING_TEXT_BYTES_MAX - 1);
    flag[7 + SETTING_TEXT_BYTES_MAX - 1] = '\0';
    assert_int_equal(settings_read(2, arguments, &s, &help, &version, NULL), OK);
    assert_int_equal(strlen(s.data), SETTING_TEXT_BYTES_MAX - 1);
    flag[7 + SETTING_TEXT_BYTES_MAX - 1] = 'x';
    flag[7 + SETTING_TEXT_BYTES_MAX] = '\0';
    assert_int_equal(settings_read(2, arguments, &s, &help, &version, NULL), ERR_INVALID_ARGUMENT);
}

static void
help_and_version_are_asked_for(void **state)
{
    bool help, version;
    struct settings s;

    (void)state;
    assert_int_equal(read_words("--help", &s, &help, &version, NULL), OK);
    assert_true(help && !version);
    assert_int_equal(read_words("--port 1 -h", &s, &help, &version, NULL), OK);
    assert_true(help);
    assert_int_equal(read_words("--version", &s, &help, &version, NULL), OK);
    assert_true(version && !help);
}

static char *
write_file(const char *directory, const char *text)
{
    static char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/settings", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void
a_flag_beats_the_environment_beats_the_file(void **state)
{
    char *directory = unit_temp_dir();
    char *path = write_file(directory, "# a comment\n\nport = 1\r\nbind=::1\n  access_log =  yes \n"
                                       "log_level=warning");
    char line[4200];
    struct settings s;

    (void)state;
    snprintf(line, sizeof line, "--config %s --log-level error", path);
    assert_int_equal(setenv("TENSORKEEP_PORT", "2", 1), 0);
    assert_int_equal(setenv("TENSORKEEP_LOG_LEVEL", "debug", 1), 0);
    assert_int_equal(read_line(line, &s, NULL), OK);
    assert_int_equal(s.port, 2);
    assert_string_equal(s.bind, "::1");
    assert_true(s.access_log);
    assert_string_equal(s.log_level, "error");
    assert_string_equal(s.config, path);
    assert_int_equal(unsetenv("TENSORKEEP_PORT"), 0);
    assert_int_equal(unsetenv("TENSORKEEP_LOG_LEVEL"), 0);

    assert_int_equal(setenv("TENSORKEEP_CONFIG", path, 1), 0);
    assert_int_equal(read_line("", &s, NULL), OK);
    assert_int_equal(s.port, 1);
    assert_int_equal(unsetenv("TENSORKEEP_CONFIG"), 0);
    unit_temp_dir_remove(directory);
}

static void
wrong_lines_and_variables_are_named(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {{"port 1\n", "line 1"},
                 {"\nprot = 1\n", "'port'"},
                 {"\n\nport = x\n", "line 3"},
                 {"config = other\n", "cannot name another"}};
    char *directory = unit_temp_dir();
    struct err err = ERR_INIT;
    struct settings s;
    char line[4200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(line, sizeof line, "--config=%s", write_file(directory, cases[i].text));
        err_clear(&err);
        assert_int_equal(read_line(line, &s, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, cases[i].said) == NULL)
            fail_msg("%s", err.text);
    }
    err_clear(&err);
    assert_int_equal(read_line("--config /nowhere/at/all", &s, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    err_clear(&err);
    assert_int_equal(setenv("TENSORKEEP_HTTP_THREADS", "0", 1), 0);
    assert_int_equal(read_line("", &s, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "TENSORKEEP_HTTP_THREADS"));
    assert_int_equal(unsetenv("TENSORKEEP_HTTP_THREADS"), 0);
    unit_temp_dir_remove(directory);
}

struct seen {
    int count;
    bool port, insecure;
};

static void
look(void *context, const char *name, const char *kind, const char *value, const char *help)
{
    struct seen *seen = context;

    seen->count++;
    assert_true(strlen(help) > 3);
    if (strcmp(name, "port") == 0)
        seen->port = strcmp(kind, "NUMBER") == 0 && strcmp(value, "7840") == 0;
    if (strcmp(name, "insecure") == 0)
        seen->insecure = strcmp(kind, "FLAG") == 0 && strcmp(value, "false") == 0;
}

static void
every_setting_can_be_listed(void **state)
{
    struct seen seen = {0};
    struct settings s;

    (void)state;
    assert_int_equal(read_line("", &s, NULL), OK);
    settings_each(&s, look, &seen);
    assert_true(seen.count > 30);
    assert_true(seen.port && seen.insecure);
}

static void
help_names_every_flag(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    settings_print_help(out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "--queue-requests-max N"));
    assert_non_null(strstr(text, "[7840]"));
    assert_non_null(strstr(text, "--insecure "));
    assert_non_null(strstr(text, "--version"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_without_anything),
        cmocka_unit_test(flags_take_both_spellings_and_units),
        cmocka_unit_test(wrong_flags_are_named),
        cmocka_unit_test(texts_past_their_room_are_refused),
        cmocka_unit_test(help_and_version_are_asked_for),
        cmocka_unit_test(a_flag_beats_the_environment_beats_the_file),
        cmocka_unit_test(wrong_lines_and_variables_are_named),
        cmocka_unit_test(every_setting_can_be_listed),
        cmocka_unit_test(help_names_every_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
