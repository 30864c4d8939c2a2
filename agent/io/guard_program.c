/* See guard_program.h. GUARD_PROGRAM_PATH is where CMake has built it. */
#include "agent/io/guard_program.h"

__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    ".global guard_program_begin\n"
    "guard_program_begin:\n"
    ".incbin \"" GUARD_PROGRAM_PATH
    "\"\n"
    ".global guard_program_end\n"
    "guard_program_end:\n"
    ".previous\n");

extern const uint8_t guard_program_begin[], guard_program_end[];

struct span guard_program(void)
{
    return span_of(guard_program_begin, (size_t)(guard_program_end - guard_program_begin));
}
