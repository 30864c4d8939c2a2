/* hordelet completion: a script for the shell, which asks this program what could follow
 * (`hordelet completion words -- LINE`, see complete.h). So all shells offer the same, and what an
 * installed script offers is what the installed program understands. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/complete.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

/* bash cuts words at = and :, and puts what it is given behind the last cut. */
static const char bash_script[] =
    "# hordelet completion for bash: eval \"$(hordelet completion bash)\"\n"
    "_hordelet() {\n"
    "    local typed=\"${COMP_LINE:0:COMP_POINT}\" line word\n"
    "    local kept=\"${typed##* }\" current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "    [[ $current == [=:] ]] && current=\n"
    "    kept=\"${kept%\"$current\"}\"\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        word=\"${line%%$'\\t'*}\"\n"
    "        if [[ $word == *:files ]]; then\n"
    "            compopt -o default\n"
    "            COMPREPLY=()\n"
    "            return\n"
    "        fi\n"
    "        word=\"${word#\"$kept\"}\"\n"
    "        COMPREPLY+=(\"$word\")\n"
    "        [[ $word == */ ]] && compopt -o nospace\n"
    "    done < <(\"${COMP_WORDS[0]}\" completion words -- \"$typed\" 2>/dev/null)\n"
    "}\n"
    "complete -F _hordelet hordelet\n";

static const char zsh_script[] =
    "#compdef hordelet\n"
    "# hordelet completion for zsh: source <(hordelet completion zsh)\n"
    "_hordelet() {\n"
    "    local line word\n"
    "    local -a found\n"
    "    for line in \"${(@f)$(\"${words[1]}\" completion words -- "
    "\"${(j: :)words[1,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        word=\"${line%%$'\\t'*}\"\n"
    "        if [[ $word == *:files ]]; then\n"
    "            _files\n"
    "            return\n"
    "        fi\n"
    "        [[ -n $word ]] && found+=(\"${word//:/\\\\:}:${line#*$'\\t'}\")\n"
    "    done\n"
    "    _describe hordelet found\n"
    "}\n"
    "compdef _hordelet hordelet\n";

static const char fish_script[] =
    "# hordelet completion for fish: hordelet completion fish | source\n"
    "function __hordelet_complete\n"
    "    set -l found (hordelet completion words -- (commandline -cp) 2>/dev/null)\n"
    "    if string match -q '*:files*' -- $found[1]\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    else if set -q found[1]\n"
    "        printf '%s\\n' $found\n"
    "    end\n"
    "end\n"
    "complete -c hordelet -f -a '(__hordelet_complete)'\n";

static int run_completion(struct invocation *invocation)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    const struct text_list *arguments = &invocation->arguments;
    const char *shell = arguments->count > 0 ? arguments->items[0] : "";
    if (strcmp(shell, "words") == 0 && arguments->count == 2) {
        cleanup_buffer struct buffer out = {0};
        complete(invocation, arguments->items[1], &out);
        output_flush(&out);
        return CLI_DONE;
    }
    for (size_t i = 0; arguments->count == 1 && i < sizeof scripts / sizeof *scripts; i++)
        if (strcmp(shell, scripts[i].shell) == 0) {
            fputs(scripts[i].script, stdout);
            return CLI_DONE;
        }
    return cli_fail_usage(invocation, "for which shell? bash, zsh or fish");
}

const struct verb verb_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "Print a script that completes command lines",
    .description =
        "Verbs, flags and kinds, and the names of objects as the agent tells them, if it answers "
        "within a second.\n",
    .examples =
        "  eval \"$(hordelet completion bash)\"                        in ~/.bashrc\n"
        "  source <(hordelet completion zsh)                         in ~/.zshrc\n"
        "  hordelet completion fish > ~/.config/fish/completions/hordelet.fish\n",
    .run = run_completion,
    .arguments = ARGUMENTS_SHELLS,
};
