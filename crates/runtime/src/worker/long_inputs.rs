//! Lines that do not end: each may be long, and what all of a worker's take is bounded.

use larder_protocol::limits::GET_LINE_MAX;
use larder_protocol::text::ErrorText;

use super::Worker;
use crate::execute::CloseReason;
use crate::limits::LONG_INPUTS_MAX;

const _: () = assert!(LONG_INPUTS_MAX > 2 * GET_LINE_MAX, "not for one alone");

impl Worker<'_> {
    /// More of a connection's input has come, which is long. Where all that are long take too much, the longest is given
    /// up: so whoever is about to send a line that is not quite as long is not kept from it by those who never end theirs.
    #[cold]
    pub(super) fn limit_long_inputs(&mut self, number: usize) {
        if !self.long_inputs.contains(&number) {
            self.long_inputs.push(number);
        }
        let conns = &self.conns;
        let bytes = |number: &usize| {
            let conn = conns.get(*number);
            conn.map_or(0, |conn| conn.long_input_bytes())
        };
        self.long_inputs.retain(|number| bytes(number) > 0);
        let sum: usize = self.long_inputs.iter().map(bytes).sum();
        let longest = self.long_inputs.iter().copied().max_by_key(bytes);
        if sum > LONG_INPUTS_MAX
            && let Some(longest) = longest
            && let Some(conn) = self.conns.get_mut(longest)
        {
            conn.give_up_input(ErrorText::OutOfMemoryRequest.line());
            conn.closing = Some(CloseReason::LongInputs);
            self.write_out(longest);
        }
    }
}
