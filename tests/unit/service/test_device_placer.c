/* The placer: which device is taken, and why none is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/device/placer.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

#define LOCAL "/job:localhost/replica:0/task:0/"

/* Names end with NULL. */
static struct device_set
set_of(const char *const *names)
{
    struct device_set set = {0};

    for (; *names != NULL; names++)
        assert_int_equal(device_set_add_name(&set, *names, NULL), OK);
    assert_int_equal(device_set_order(&set, NULL), OK);
    return set;
}

static struct device_set
cpu_and_gpus(void)
{
    static const char *const names[] = {LOCAL "gpu:1",
                                        LOCAL "cpu:0",
                                        LOCAL "gpu:0",
                                        "/job:ps/replica:0/task:1/cpu:0",
                                        "/job:ps/replica:0/task:0/cpu:0",
                                        "/job:ps/replica:0/task:0/device:TPU:0",
                                        NULL};

    return set_of(names);
}

static void
the_best_device_that_matches_is_taken(void **state)
{
    static const struct {
        const char *device, *assigned;
        enum dtype dtype;
        bool soft;
    } rows[] = {
        {"", LOCAL "gpu:0", DTYPE_FLOAT32, false},
        {"", LOCAL "cpu:0", DTYPE_INT32, false},
        {"/cpu:0", LOCAL "cpu:0", DTYPE_FLOAT32, false},
        {"/device:CPU:0", LOCAL "cpu:0", DTYPE_FLOAT32, false},
        {"/job:localhost", LOCAL "gpu:0", DTYPE_FLOAT16, false},
        {"/job:localhost", LOCAL "cpu:0", DTYPE_STRING, false},
        {"/gpu:1", LOCAL "gpu:1", DTYPE_FLOAT64, false},
        {"/gpu:11", LOCAL "gpu:0", DTYPE_FLOAT64, true},
        {"/gpu:0", LOCAL "cpu:0", DTYPE_INT32, true},
        {"/task:1", "/job:ps/replica:0/task:1/cpu:0", DTYPE_FLOAT32, false},
        {"/job:ps/gpu:0", "/job:ps/replica:0/task:0/cpu:0", DTYPE_FLOAT32, true},
        {"/job:ps/task:1/tpu:9", NULL, DTYPE_FLOAT32, true}, /* no Python text */
        {"/job:ps/task:1/device:TPU:9", "/job:ps/replica:0/task:1/cpu:0", DTYPE_FLOAT32, true},
        {"/job:*", LOCAL "gpu:0", DTYPE_FLOAT32, false},
        {"/device:*:1", LOCAL "gpu:1", DTYPE_FLOAT32, false},
        {"/device:*:*", LOCAL "gpu:0", DTYPE_FLOAT32, false},
    };
    AUTO(device_set) set = cpu_and_gpus();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_place_request request = {.node = "v",
                                               .device = rows[i].device,
                                               .dtype = rows[i].dtype,
                                               .allow_soft_placement = rows[i].soft};
        const struct device *out = NULL;

        if (rows[i].assigned == NULL) {
            assert_int_equal(device_place(&set, &request, &out, NULL), ERR_INVALID_ARGUMENT);
            continue;
        }
        assert_int_equal(device_place(&set, &request, &out, NULL), OK);
        assert_string_equal(out->name, rows[i].assigned);
    }
}

static void
refuses(const struct device_set *set, struct device_place_request request, const char *text)
{
    const struct device *out = NULL;
    struct err err = ERR_INIT;

    request.node = "v";
    assert_int_equal(device_place(set, &request, &out, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, text);
}

#define NODE                  "Cannot assign a device to node 'v': "
#define NOT_SATISFIED(device) NODE "Could not satisfy explicit device specification '" device "' "

static void
what_cannot_be_placed_is_told_in_tensorflows_words(void **state)
{
    static const char *const ps = "/job:ps/task:1", *const gpu = "/device:GPU:0";
    static const char *const mixed[] = {"/gpu:0", "/cpu:*"};
    static const char *const names[] = {LOCAL "cpu:0", LOCAL "gpu:0", NULL};
    AUTO(device_set) set = set_of(names);

    (void)state;
    refuses(&set,
            (struct device_place_request){.device = "/job:ps/task:7", .allow_soft_placement = true},
            NOT_SATISFIED("/job:ps/task:7") "because no devices matching that specification are "
                                            "registered in this process; available devices: " LOCAL
                                            "cpu:0, " LOCAL "gpu:0");
    refuses(&set, (struct device_place_request){.device = "/device:GPU:0", .dtype = DTYPE_INT32},
            NOT_SATISFIED("/device:GPU:0") "because no supported kernel for GPU devices is "
                                           "available.");
    refuses(&set, (struct device_place_request){.device = "/job:a-b"},
            NODE "Malformed device specification '/job:a-b'");
    refuses(&set, (struct device_place_request){.device = "/job:"},
            NODE "Malformed device specification '/job:'");
    refuses(&set, (struct device_place_request){.device = "/job:é"},
            NODE "Malformed device specification '/job:é'");
    refuses(&set, (struct device_place_request){.device = "/task:-1"},
            NODE "Malformed device specification '/task:-1'");
    refuses(&set, (struct device_place_request){.device = "/device:C-PU:0"},
            NODE "Malformed device specification '/device:C-PU:0'");
    refuses(&set, (struct device_place_request){.device = "anything"},
            NODE "Malformed device specification 'anything'");
    refuses(&set,
            (struct device_place_request){
                .device = "/job:localhost", .colocated = &ps, .colocated_count = 1},
            NODE "Cannot colocate nodes 'v' and 'colocated_with[0]': Cannot merge devices with "
                 "incompatible jobs: '/job:localhost' and '/job:ps/task:1'");
    refuses(&set,
            (struct device_place_request){
                .device = "/job:localhost", .colocated = mixed, .colocated_count = 2},
            NODE "Cannot colocate nodes 'v' and 'colocated_with[1]': Cannot merge devices with "
                 "incompatible types: '/job:localhost/GPU:0' and '/CPU:*'");
    refuses(
        &set,
        (struct device_place_request){
            .device = "/task:1", .colocated = &gpu, .colocated_count = 1, .dtype = DTYPE_FLOAT32},
        NOT_SATISFIED("/task:1") "because the node was colocated with a group of nodes that "
                                 "required incompatible device '/task:1/GPU:0'");
}

static void
a_dtype_or_a_process_may_have_no_device_at_all(void **state)
{
    static const char *const names[] = {LOCAL "gpu:0", LOCAL "device:TPU:0", NULL};
    AUTO(device_set) set = set_of(names);
    struct device_set none = {0};
    struct device_place_request request = {.node = "v"};
    const struct device *out;
    struct err err = ERR_INIT;

    (void)state;
    refuses(&set, (struct device_place_request){.dtype = DTYPE_INT32, .op = "Variable"},
            NODE "No OpKernel was registered to support Op 'Variable' with these attrs.  "
                 "Registered devices: [GPU,TPU], Registered kernels: device='CPU' for int32");
    refuses(&set, (struct device_place_request){.device = "/device:TPU:0", .dtype = DTYPE_FLOAT32},
            NOT_SATISFIED("/device:TPU:0") "because no supported kernel for TPU devices is "
                                           "available.");
    refuses(&set, (struct device_place_request){.device = "/device:*:7", .dtype = DTYPE_FLOAT32},
            NOT_SATISFIED("/device:*:7") "because no devices matching that specification are "
                                         "registered in this process; available devices: " LOCAL
                                         "device:TPU:0, " LOCAL "gpu:0");
    assert_int_equal(device_place(&none, &request, &out, &err), ERR_FAILED_PRECONDITION);
    assert_string_equal(err.text, "No devices are registered");
}

static void
a_message_has_as_many_devices_as_it_has_room_for(void **state)
{
    AUTO(device_set) set = {0};
    struct device_place_request request = {.device = "/job:ps/task:7", .dtype = DTYPE_FLOAT32};
    const struct device *out;
    struct err err = ERR_INIT;
    char node[300];

    (void)state;
    for (int32_t i = 0; i < 64; i++) {
        struct device_spec spec;
        char text[80];

        snprintf(text, sizeof text, "/job:worker/replica:0/task:%d/cpu:0", i);
        assert_int_equal(device_spec_parse(text, &spec, NULL), OK);
        assert_int_equal(device_set_add(&set, &spec, NULL), OK);
    }
    assert_int_equal(device_set_order(&set, NULL), OK);
    memset(node, 'n', sizeof node);
    node[255] = '\0';
    request.node = node;
    assert_int_equal(device_place(&set, &request, &out, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "available devices: /job:worker/replica:0/task:0/cpu:0, "));
    assert_non_null(strstr(err.text, ", … ("));
    assert_string_equal(err.text + strlen(err.text) - 6, " more)");
    assert_true(strlen(err.text) < ERR_TEXT_BYTES_MAX - 1);
}

static void
nodes_that_are_together_merge_what_they_want(void **state)
{
    static const struct {
        const char *into, *other, *merged, *refused;
        bool soft;
    } rows[] = {
        {"/job:ps", "/task:1", "/job:ps/task:1", NULL, false},
        {"/job:ps", "/job:ps/cpu:0", "/job:ps/device:CPU:0", NULL, false},
        {"", "/replica:1/gpu:*", "/replica:1/device:GPU:*", NULL, false},
        {"/job:a", "/job:b", NULL, "jobs: '/job:a' and '/job:b'", true},
        {"/replica:1", "/replica:2", NULL, "replicas: '/replica:1' and '/replica:2'", true},
        /* The first of them is shown as far as it is merged. */
        {"/task:1", "/job:b/task:2", NULL, "tasks: '/job:b/task:1' and '/job:b/task:2'", true},
        {"/cpu:0", "/gpu:0", NULL, "types: '/CPU:0' and '/GPU:0'", false},
        {"/task:1/cpu:0", "/gpu:0", "/task:1", NULL, true},
        {"/cpu:0", "/cpu:1", NULL, "ids: '/CPU:0' and '/CPU:1'", false},
        {"/cpu:0", "/cpu:1", "/device:CPU:*", NULL, true},
        {"/job:a/gpu:*", "/cpu:1", NULL, "types: '/job:a/GPU:*' and '/CPU:1'", false},
        {"/gpu:*", "/cpu:1", "", NULL, true},
        {"/gpu:1", "/gpu:*", "/device:GPU:1", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_spec into, other, before;
        struct err err = ERR_INIT;
        char text[DEVICE_TEXT_BYTES_MAX + 1];

        assert_int_equal(device_spec_parse(rows[i].into, &into, NULL), OK);
        before = into;
        assert_int_equal(device_spec_parse(rows[i].other, &other, NULL), OK);
        if (rows[i].refused == NULL) {
            assert_int_equal(device_merge_names(&into, &other, rows[i].soft, &err), OK);
            assert_string_equal(device_spec_print(&into, text), rows[i].merged);
        } else {
            assert_int_equal(device_merge_names(&into, &other, rows[i].soft, &err),
                             ERR_INVALID_ARGUMENT);
            assert_string_equal(err.text + strlen("Cannot merge devices with incompatible "),
                                rows[i].refused);
            assert_true(device_spec_equal(&into, &before));
        }
    }
}

static void
a_set_has_complete_names_once(void **state)
{
    static const char *const bad[] = {"",
                                      "/cpu:0",
                                      "/job:a/task:0/cpu:0",
                                      "/job:a/replica:0/task:0/cpu",
                                      "/job:a-b/replica:0/task:0/cpu:0",
                                      "/job:*/replica:0/task:0/cpu:0",
                                      "/job:a/replica:0/task:-1/cpu:0",
                                      "/job:a/replica:0/task:0/what"};
    AUTO(device_set) set = {0};
    struct device_spec spec;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(device_set_add_name(&set, bad[i], NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(set.count, 0);
    assert_int_equal(device_spec_parse("/job:ps/replica:0/task:12/gpu:3", &spec, NULL), OK);
    assert_int_equal(device_set_add(&set, &spec, NULL), OK);
    assert_string_equal(set.devices[0].name, "/job:ps/replica:0/task:12/gpu:3");
    assert_int_equal(set.devices[0].kind->priority, device_kind_of("GPU")->priority);
    assert_int_equal(device_spec_parse("/job:ps/replica:0/task:0/device:TPU:0", &spec, NULL), OK);
    assert_int_equal(device_set_add(&set, &spec, NULL), OK);
    assert_int_equal(device_set_order(&set, NULL), OK);
    assert_string_equal(set.devices[0].name, "/job:ps/replica:0/task:0/device:TPU:0");
    assert_string_equal(set.devices[1].name, "/job:ps/replica:0/task:12/gpu:3");
    assert_int_equal(device_set_add(&set, &spec, NULL), OK);
    assert_int_equal(device_set_order(&set, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "there are two devices '/job:ps/replica:0/task:0/device:TPU:0'");
    mem_fail_at(1, 1);
    for (size_t i = 0; i < 64; i++)
        if (device_set_add(&set, &spec, NULL) == ERR_NO_MEMORY)
            break;
    assert_true(set.count < 64);
    mem_fail_at(0, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_device_that_matches_is_taken),
        cmocka_unit_test(what_cannot_be_placed_is_told_in_tensorflows_words),
        cmocka_unit_test(a_dtype_or_a_process_may_have_no_device_at_all),
        cmocka_unit_test(a_message_has_as_many_devices_as_it_has_room_for),
        cmocka_unit_test(nodes_that_are_together_merge_what_they_want),
        cmocka_unit_test(a_set_has_complete_names_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
