/* Covers service/device/{spec,device,placer}.c: any text as a specification, as a device's name and
 * as what is to be placed. The input is up to three texts, one a line.
 * What is let in prints, reads back as the same, and merges as its fields say; what the placer
 * takes matches. */
#include <string.h>

#include "service/device/placer.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { TEXTS = 3, TEXT_BYTES_MAX = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to the next line; a text ends at its first NUL. */
static void
take_line(const uint8_t **data, size_t *size, char out[static TEXT_BYTES_MAX + 1])
{
    const uint8_t *end = *size == 0 ? NULL : memchr(*data, '\n', *size);
    size_t length = end == NULL ? *size : (size_t)(end - *data), taken;

    taken = length < TEXT_BYTES_MAX ? length : TEXT_BYTES_MAX;
    if (taken > 0)
        memcpy(out, *data, taken);
    out[taken] = '\0';
    length += end != NULL;
    *data += length;
    *size -= length;
}

static bool
check_reading(const char *text, struct device_spec *spec)
{
    char printed[DEVICE_TEXT_BYTES_MAX + 1], again[DEVICE_TEXT_BYTES_MAX + 1];
    struct device_spec reread;
    struct err err = ERR_INIT;

    if (device_spec_parse(text, spec, &err) != OK) {
        CHECK(err.code == ERR_INVALID_ARGUMENT && err.text[0] != '\0');
        return false;
    }
    CHECK(device_spec_check(spec, NULL) == OK);
    device_spec_print(spec, printed);
    CHECK(device_spec_parse(printed, &reread, NULL) == OK);
    CHECK(device_spec_equal(spec, &reread));
    CHECK(strcmp(device_spec_print(&reread, again), printed) == 0);
    CHECK(device_spec_is_empty(spec) == (printed[0] == '\0'));
    return true;
}

static void
check_merging(const struct device_spec *outer, const struct device_spec *inner)
{
    struct device_scope scopes[] = {{.spec = *outer}, {.spec = *inner}};
    struct device_spec merged = *outer, nested, joined = *outer;

    if (device_spec_merge(&merged, inner, NULL) != OK) {
        CHECK(device_spec_equal(&merged, outer));
        return;
    }
    CHECK(device_spec_covers(inner, &merged));
    CHECK(device_scopes_merge(scopes, 2, &nested, NULL) == OK);
    CHECK(device_spec_equal(&nested, &merged)); /* an index has its type in any text */
    if (device_merge_names(&joined, inner, false, NULL) == OK) {
        CHECK(device_spec_equal(&joined, &merged));
        CHECK(device_spec_covers(outer, &joined));
    }
    scopes[1].resets = true;
    CHECK(device_scopes_merge(scopes, 2, &nested, NULL) == OK && device_spec_is_empty(&nested));
}

static void
check_placing(const char *device, const char *name, const char *other)
{
    AUTO(device_set) set = {0};
    struct device_place_request request = {
        .node = other, .device = device, .colocated = &other, .dtype = DTYPE_INT32};
    const struct device *out = NULL;
    struct device_spec spec, wanted;

    CHECK(device_set_add_name(&set, "/job:localhost/replica:0/task:0/cpu:0", NULL) == OK);
    CHECK(device_set_add_name(&set, "/job:ps/replica:0/task:1/gpu:0", NULL) == OK);
    if (device_set_add_name(&set, name, NULL) != OK)
        CHECK(set.count == 2);
    if (device_set_order(&set, NULL) != OK)
        return;
    for (int soft = 0; soft < 2; soft++) {
        struct err err = ERR_INIT;

        request.allow_soft_placement = soft != 0;
        request.colocated_count = (size_t)soft;
        if (device_place(&set, &request, &out, &err) != OK) {
            CHECK(err.code == ERR_INVALID_ARGUMENT && strlen(err.text) < sizeof err.text);
            continue;
        }
        CHECK(out >= set.devices && out < set.devices + set.count);
        CHECK(out->kind->has_kernel(DTYPE_INT32));
        CHECK(device_spec_parse(device, &spec, NULL) == OK &&
              device_spec_to_runtime(&spec, &wanted));
        CHECK(soft != 0 || device_spec_covers(&wanted, &out->spec));
    }
}

/* One device is all there is: it is taken if it has a kernel, and is told of if it has none. */
static void
check_alone(const char *name)
{
    AUTO(device_set) set = {0};
    struct device_place_request request = {.node = name, .dtype = DTYPE_STRING};
    const struct device *out = NULL;
    struct err err = ERR_INIT;

    if (device_set_add_name(&set, name, NULL) != OK)
        return;
    CHECK(device_set_order(&set, NULL) == OK);
    if (device_place(&set, &request, &out, &err) == OK)
        CHECK(out == set.devices && out->kind->has_kernel(DTYPE_STRING));
    else
        CHECK(strstr(err.text, "No OpKernel was registered") != NULL &&
              !set.devices[0].kind->has_kernel(DTYPE_STRING));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char texts[TEXTS][TEXT_BYTES_MAX + 1];
    struct device_spec specs[2];
    bool fine[2];

    for (int i = 0; i < TEXTS; i++)
        take_line(&data, &size, texts[i]);
    for (int i = 0; i < 2; i++)
        fine[i] = check_reading(texts[i], &specs[i]);
    if (fine[0] && fine[1])
        check_merging(&specs[0], &specs[1]);
    check_placing(texts[0], texts[1], texts[2]);
    check_alone(texts[1]);
    return 0;
}
