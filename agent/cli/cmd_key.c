/* hordelet key: a new key for --gossip-key-file. Asks no agent. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cli/cli.h"

enum { KEY_BYTES = 32, KEY_TEXT_BYTES = 45 /* base64, with the final zero */ };

static int run_key(struct invocation *invocation)
{
    uint8_t key[KEY_BYTES];
    char text[KEY_TEXT_BYTES];
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "takes no arguments");
    if (sodium_init() < 0)
        abort(); /* the kernel has no randomness: nothing that is secret can be made */
    randombytes_buf(key, sizeof key);
    puts(sodium_bin2base64(text, sizeof text, key, sizeof key, sodium_base64_VARIANT_ORIGINAL));
    return CLI_DONE;
}

const struct verb verb_key = {
    .name = "key",
    .usage = "",
    .summary = "Print a new key for the agents' --gossip-key-file",
    .description = "All agents of a cluster are given the same file; see `hordelet agent --help`.",
    .examples = "  (umask 077; hordelet key >/etc/hordelet/gossip.key)\n",
    .run = run_key,
};
