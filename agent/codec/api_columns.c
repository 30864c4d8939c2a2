/* See api_columns.h. */
#include "agent/codec/api_columns.h"

#define NAME_COLUMN                                \
    {                                              \
        "Name", "string", 0, "Name of the object." \
    }

static const struct api_column columns[API_SHOWN_COUNT + 1][API_COLUMNS_MAX] =
    {
        [API_WORKLOADS] =
            {
                NAME_COLUMN,
                {"Ready", "string", 0, "Children that are ready, of how many there are to be."},
                {"Up-to-date", "integer", 0, "Children that are ready with the present spec."},
                {"Supervisor", "string", 0, "Who places and restarts the children."},
                {"Age", "string", 0, "Since it was created."},
                {"Image", "string", 1, "Image of the container."},
            },
        [API_CHILDREN] =
            {
                NAME_COLUMN,
                {"Phase", "string", 0, "How it is with the child."},
                {"Ready", "string", 0, "1/1 if it can be used."},
                {"Node", "string", 0, "The member that has claimed it."},
                {"Epoch", "integer", 0, "Grows each time it is placed."},
                {"Restarts", "integer", 0, "How often it was run again."},
                {"Age", "string", 0, "Since its container was started."},
                {"Reason", "string", 0, "Why it is in that phase."},
                {"Container", "string", 1, "Id in the engine."},
                {"Message", "string", 1, "The reason for people."},
            },
        [API_NAMES] =
            {
                NAME_COLUMN,
                {"Node", "string", 0, "Where the owner is."},
                {"Endpoint", "string", 0, "Where the owner is reached."},
                {"Owner", "string", 0, "Who has the name."},
                {"Value", "string", 1, "What the owner says beside it."},
            },
        [API_METAS] =
            {
                NAME_COLUMN,
                {"Value", "string", 0, "The value, as JSON."},
            },
        [API_SUPERVISORS] =
            {
                NAME_COLUMN,
                {"Strategy", "string", 0, "Which member runs a child."},
                {"Members", "string", 0, "Members that are alive, of all."},
                {"Quorum", "string", 0, "More than half of the voters are alive."},
                {"Specs", "integer", 0, "Children that are to be."},
                {"Active", "integer", 0, "Children that run."},
            },
        [API_MEMBERS] =
            {
                NAME_COLUMN,
                {"Phase", "string", 0, "As the agent that is asked sees it."},
                {"Children", "integer", 0, "Children that it has claimed."},
                {"Runtime", "string", 0, "Its container engine."},
                {"Address", "string", 0, "Where other agents reach it."},
                {"Version", "string", 0, "Of its agent."},
                {"Age", "string", 1, "Since its record was written."},
            },
        [API_PODS] =
            {
                NAME_COLUMN,
                {"Ready", "string", 0, "1/1 if the child can be used."},
                {"Status", "string", 0, "The phase of the child."},
                {"Restarts", "integer", 0, "How often it was run again."},
                {"Age", "string", 0, "Since its container was started."},
                {"IP", "string", 1, "Address of the node, if the child uses its network."},
                {"Node", "string", 1, "The member that has claimed the child."},
                {"Epoch", "integer", 1, "Grows each time it is placed."},
                {"Reason", "string", 1, "Why it has that status."},
            },
        [API_NODES] =
            {
                NAME_COLUMN,
                {"Status", "string", 0, "Ready if the agent that is asked sees it alive."},
                {"Roles", "string", 0, "There are none."},
                {"Age", "string", 0, "Since the member's record was written."},
                {"Version", "string", 0, "Of its agent."},
                {"Internal-IP", "string", 1, "Host of its gossip address."},
                {"Container-Runtime", "string", 1, "Its container engine."},
                {"Children", "integer", 1, "Children that it has claimed."},
            },
        [API_SHOWN_COUNT] =
            {
                {"Last Seen", "string", 0, "Since it happened last."},
                {"Type", "string", 0, "Normal or Warning."},
                {"Reason", "string", 0, "What has happened, as one word."},
                {"Object", "string", 0, "What it is about."},
                {"Message", "string", 0, "What has happened, for people."},
                {"Source", "string", 1, "Who noted it."},
                {"First Seen", "string", 1, "Since it happened first."},
                {"Count", "integer", 1, "How often it has happened."},
            },
};

const struct api_column *api_columns(unsigned resource)
{
    return columns[resource];
}
