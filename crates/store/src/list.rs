//! Doubly linked lists of pages, the links lying in the pages: any page can leave its list at once.

use crate::chunk::PageId;
use crate::page::Pages;

const NONE: PageId = PageId::MAX;

/// A page's neighbours in one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    prev: PageId,
    next: PageId,
}

impl Links {
    pub(crate) const NONE: Self = Self {
        prev: NONE,
        next: NONE,
    };
}

/// Which of a page's two lists is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All pages of a class, the one that eviction looks at next in front.
    Ring,
    /// The pages of a class that have a free chunk.
    Partial,
}

/// A list of pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    which: Which,
    first: PageId,
    last: PageId,
    len: u32,
}

fn links(pages: &mut Pages, id: PageId, which: Which) -> &mut Links {
    let page = pages.page_mut(id);
    match which {
        Which::Ring => &mut page.ring,
        Which::Partial => &mut page.partial,
    }
}

impl List {
    pub(crate) fn new(which: Which) -> Self {
        Self {
            which,
            first: NONE,
            last: NONE,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn first(&self) -> Option<PageId> {
        (self.first != NONE).then_some(self.first)
    }

    #[inline]
    pub(crate) fn last(&self) -> Option<PageId> {
        (self.last != NONE).then_some(self.last)
    }

    /// The page behind `id`, which must be in this list.
    pub(crate) fn after(&self, pages: &Pages, id: PageId) -> Option<PageId> {
        let page = pages.page(id);
        let next = match self.which {
            Which::Ring => page.ring.next,
            Which::Partial => page.partial.next,
        };
        (next != NONE).then_some(next)
    }

    pub(crate) fn push_back(&mut self, pages: &mut Pages, id: PageId) {
        *links(pages, id, self.which) = Links {
            prev: self.last,
            next: NONE,
        };
        if self.last == NONE {
            self.first = id;
        } else {
            links(pages, self.last, self.which).next = id;
        }
        self.last = id;
        self.len += 1;
    }

    /// Takes out a page that is in this list.
    pub(crate) fn remove(&mut self, pages: &mut Pages, id: PageId) {
        let Links { prev, next } = *links(pages, id, self.which);
        if prev == NONE {
            self.first = next;
        } else {
            links(pages, prev, self.which).next = next;
        }
        if next == NONE {
            self.last = prev;
        } else {
            links(pages, next, self.which).prev = prev;
        }
        *links(pages, id, self.which) = Links::NONE;
        self.len -= 1;
    }

    pub(crate) fn pop_front(&mut self, pages: &mut Pages) -> Option<PageId> {
        let first = self.first()?;
        self.remove(pages, first);
        Some(first)
    }
}
