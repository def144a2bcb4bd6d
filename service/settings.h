/* Settings: settings.def is the one list; flags, environment, file, --help and GET /v1 come from
 * it. */
#ifndef SERVICE_SETTINGS_H
#define SERVICE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "store/base/err.h"

/* Of one text; the addresses of a cluster of a hundred tasks fit. */
enum { SETTING_TEXT_BYTES_MAX = 8192 };

#define SETTING_FIELD_TEXT(name)         char name[SETTING_TEXT_BYTES_MAX];
#define SETTING_FIELD_FLAG(name)         bool name;
#define SETTING_FIELD_NUMBER(name)       uint64_t name;
#define SETTING_FIELD_BYTES(name)        uint64_t name;
#define SETTING_FIELD_MILLISECONDS(name) uint64_t name;

struct settings {
#define SETTING(name, kind, default_value, min, max, help) SETTING_FIELD_##kind(name)
#include "service/settings.def"
#undef SETTING
};

/* Defaults, then --config FILE, then TENSORKEEP_* of the environment, then flags (--name VALUE or
 * --name=VALUE; flags of kind FLAG alone). ERR_INVALID_ARGUMENT names the setting, the value and
 * where it came from, with the nearest known name. *help, *version: asked for. */
ERR_MUST_CHECK enum err_code settings_read(int argc, char **argv, struct settings *out, bool *help,
                                           bool *version, struct err *err);
void settings_print_help(FILE *out); /* of settings; of commands: command_print_help */

/* For listing them: calls visit with the name, kind and the value as text. */
typedef void settings_visitor(void *context, const char *name, const char *kind, const char *value,
                              const char *help);
void settings_each(const struct settings *settings, settings_visitor *visit, void *context);

#endif
