#include "api/guard/token_command.h"

#include <errno.h>
#include <sys/random.h>

#include "api/guard/tokens_file.h"
#include "api/json/chars.h"

#define PREFIX "tk_"

enum {
    SECRET_BYTES = 32,
    TOKEN_BYTES = sizeof PREFIX + 2 * SECRET_BYTES, /* with the NUL */
    LINE_BYTES_MAX = 4096,
};

static const char usage[] =
    "usage: tensorkeep token NAME [--scopes read,write,admin] [--models GLOB,GLOB]\n"
    "           [--until 2027-01-31T12:00:00Z] [--tokens FILE]\n"
    "\n"
    "Makes a random token and prints it, once. With --tokens its line, which holds a digest of "
    "it,\n"
    "is added to that file (made when missing); without, the line is printed after it.\n"
    "Scopes include those before them; read is given when none is named. A running server reads\n"
    "the file again on SIGHUP.\n";

struct wanted {
    const char *name, *scopes, *models, *until, *tokens;
};

static enum err_code
read_arguments(int argc, char **argv, struct wanted *out, struct err *err)
{
    const struct {
        const char *flag;
        const char **value;
    } flags[] = {{"--scopes", &out->scopes},
                 {"--models", &out->models},
                 {"--until", &out->until},
                 {"--tokens", &out->tokens}};

    for (int i = 0; i < argc; i++) {
        size_t k = 0, count = sizeof flags / sizeof *flags;

        if (argv[i][0] != '-' && out->name == NULL) {
            out->name = argv[i];
            continue;
        }
        while (k < count && strcmp(argv[i], flags[k].flag) != 0)
            k++;
        if (k == count)
            return err_set(err, ERR_INVALID_ARGUMENT, "token: '%.100s' is not understood\n%s",
                           argv[i], usage);
        if (++i == argc)
            return err_set(err, ERR_INVALID_ARGUMENT, "token: %s needs a value", flags[k].flag);
        *flags[k].value = argv[i];
    }
    return out->name != NULL ? OK : err_set(err, ERR_INVALID_ARGUMENT, "%s", usage);
}

/* 256 random bits in characters that need no quoting anywhere. */
static enum err_code
make_token(char out[static TOKEN_BYTES], struct err *err)
{
    uint8_t secret[SECRET_BYTES];

    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return err_set(err, ERR_UNAVAILABLE, "token: no random numbers: %s", strerror(errno));
    memcpy(out, PREFIX, sizeof PREFIX);
    api_chars_hex(bytes_of(secret, sizeof secret), out + sizeof PREFIX - 1);
    return OK;
}

static enum err_code
make_line(const struct wanted *wanted, const char *token, char out[static LINE_BYTES_MAX],
          struct err *err)
{
    uint8_t digest[API_TOKEN_DIGEST_BYTES];
    char hex[2 * sizeof digest + 1];
    struct api_tokens *tokens = NULL;
    int length;

    api_token_digest(bytes_of_text(token), digest);
    api_chars_hex(bytes_of(digest, sizeof digest), hex);
    length = snprintf(
        out, LINE_BYTES_MAX, "%s sha256:%s %s%s%s%s%s", wanted->name, hex, wanted->scopes,
        wanted->models != NULL ? " models=" : "", wanted->models != NULL ? wanted->models : "",
        wanted->until != NULL ? " until=" : "", wanted->until != NULL ? wanted->until : "");
    if (length < 0 || length >= LINE_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "token: the line has more than %d bytes",
                       LINE_BYTES_MAX - 1);
    if (memchr(out, '\n', (size_t)length) != NULL || out[0] == '#')
        return err_set(err, ERR_INVALID_ARGUMENT, "token: no argument has a line break");
    TRY(api_tokens_parse(bytes_of_text(out), "token", &tokens, err));
    api_tokens_drop(tokens);
    return OK;
}

enum err_code
api_token_command(const struct command_input *input, struct err *err)
{
    struct wanted wanted = {.scopes = "read"};
    char token[TOKEN_BYTES], line[LINE_BYTES_MAX];

    TRY(read_arguments(input->argc, input->argv, &wanted, err));
    TRY(make_token(token, err));
    TRY(make_line(&wanted, token, line, err));
    if (wanted.tokens != NULL)
        TRY(api_tokens_file_add(wanted.tokens, line, err));
    fprintf(input->out, "%s\n", token);
    if (wanted.tokens == NULL)
        fprintf(input->out, "%s\n", line);
    return OK;
}
