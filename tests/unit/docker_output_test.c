/* agent/codec/docker_output.h: frames of the Engine into text. */
#include <string.h>

#include "agent/codec/docker_output.h"
#include "tests/unit.h"

static void check(const char *stream, size_t bytes, bool good, const char *wanted)
{
    for (size_t cut = 1; cut <= bytes; cut++) {
        struct docker_output output = {.left = 0};
        struct buffer printed = {0};
        bool read = true;
        for (size_t at = 0; at < bytes && read; at += cut)
            read = docker_output_read(
                &output, span_of(stream + at, cut < bytes - at ? cut : bytes - at), &printed);
        docker_output_end(&output, &printed);
        CU_ASSERT_EQUAL(read, good);
        CU_ASSERT(span_equal(buffer_view(&printed), span_text(wanted)));
        buffer_release(&printed);
    }
}
#define CHECK(stream, good, wanted) check(stream, sizeof(stream) - 1, good, wanted)

static void frames_are_put_together(void)
{
    CHECK(
        "\1\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\4two\n\1\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\2"
        "33",
        true, "onetwo\n33");
}

static void a_terminal_has_no_frames(void)
{
    CHECK("hello\r\nworld", true, "hello\r\nworld");
    CHECK("\1\2 begins like a frame", true, "\1\2 begins like a frame");
    CHECK("\1", true, "\1");
}

static void what_is_no_frame_behind_a_frame_is_refused(void)
{
    CHECK("\1\0\0\0\0\0\0\3onenonsense", false, "one");
    CHECK("\1\0\0\0\0\0\0\3one\3\0\0\0\0\0\0\1x", false, "one");
}

static void what_is_cut_off_is_let_go(void)
{
    CHECK("\1\0\0\0\0\0\0\5on", true, "on");
    CHECK("\1\0\0\0\0\0\0\3one\1\0\0", true, "one");
}

UNIT_MAIN("docker output", {"frames are put together", frames_are_put_together},
          {"a terminal has no frames", a_terminal_has_no_frames},
          {"what is no frame behind a frame is refused",
           what_is_no_frame_behind_a_frame_is_refused},
          {"what is cut off is let go", what_is_cut_off_is_let_go})
