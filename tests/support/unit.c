/* Test scaffolding: failures here end the program, for a test without its ground floor says
 * nothing. */
#include "tests/support/unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_DIRECTORIES_MAX = 16, TEMP_PATH_BYTES_MAX = 4096 };

static _Noreturn void
give_up(const char *doing, const char *path)
{
    fprintf(stderr, "%s '%s': %s\n", doing, path, strerror(errno));
    exit(EXIT_FAILURE);
}

char *
unit_temp_dir(void)
{
    const char *parent = getenv("TMPDIR");
    char path[TEMP_PATH_BYTES_MAX];
    char *made;

    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    snprintf(path, sizeof path, "%s/tensorkeep-unit-XXXXXX", parent);
    if (mkdtemp(path) == NULL)
        give_up("no directory for the test at", path);
    made = strdup(path);
    if (made == NULL)
        give_up("no memory for the name", path);
    return made;
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void
unit_temp_dir_remove(char *path)
{
    if (path == NULL)
        return;
    if (nftw(path, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS) != 0)
        give_up("cannot remove", path);
    free(path);
}

uint64_t
unit_map_bytes(void)
{
    const char *text = getenv("TENSORKEEP_TEST_MAP_BYTES");
    char *end = NULL;
    uint64_t bytes;

    if (text == NULL || text[0] == '\0')
        return UINT64_C(1) << 34;
    bytes = strtoull(text, &end, 10);
    if (*end != '\0' || bytes == 0) {
        fprintf(stderr, "TENSORKEEP_TEST_MAP_BYTES is '%s', not a number of bytes\n", text);
        exit(EXIT_FAILURE);
    }
    return bytes;
}
