//! The sources of `src/` as facts: parsed by `syn`, without their tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, by its name from the root, with its text.
pub fn rust_files(below: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for entry in entries {
            let path = entry.expect("a directory that opened lists").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(below), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root())
                .expect("walked from the root")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            (name, text)
        })
        .collect()
}

/// A path that a source names, as it stands there.
pub struct Named {
    pub line: usize,
    pub segments: Vec<String>,
    /// How many inline modules stand around it.
    pub depth: usize,
}

/// One name that a `use` brings into a module.
pub struct Import {
    pub named: Named,
    /// The name in this file; `*` of a glob.
    pub name: String,
    /// Others can name it through this module.
    pub public: bool,
}

/// A function with a body.
pub struct Function {
    /// With the type whose method it is.
    pub name: String,
    pub lines: usize,
}

/// What one file says, without its tests.
pub struct Source {
    /// From the root: `src/policy/replay.rs`.
    pub name: String,
    pub text: String,
    /// `["policy", "replay"]`
    pub module: Vec<String>,
    /// Lines that are not tests.
    pub lines: usize,
    pub imports: Vec<Import>,
    pub paths: Vec<Named>,
    pub functions: Vec<Function>,
    /// Types that have an `impl` here which is of no trait.
    pub impls: BTreeSet<String>,
    /// Public types that are declared here.
    pub types: Vec<String>,
    /// Items that are neither a module nor a `use`.
    pub code: Vec<(usize, String)>,
    /// Calls of methods that start threads, tasks or processes.
    pub spawns: Vec<(usize, String)>,
    /// Modules that are there for tests alone.
    pub test_modules: Vec<String>,
}

impl Source {
    /// The first folder or file below `src/`.
    pub fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

/// All of `src/` but what is there for tests alone.
pub fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let files = rust_files("src");
        // Each thread has its own map of spans, and parsing is most of the time.
        let halves: Vec<Vec<Source>> = std::thread::scope(|scope| {
            let parts: Vec<_> = (0..2)
                .map(|half| {
                    let files = &files;
                    scope.spawn(move || {
                        let turn = files.iter().skip(half).step_by(2);
                        turn.map(|(name, text)| source(name, text)).collect()
                    })
                })
                .collect();
            parts
                .into_iter()
                .map(|part| part.join().expect("every source parses"))
                .collect()
        });
        let mut all: Vec<Source> = halves.into_iter().flatten().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let of_tests: Vec<Vec<String>> =
            all.iter()
                .flat_map(|source| {
                    source.test_modules.iter().map(|child| {
                        [source.module.as_slice(), std::slice::from_ref(child)].concat()
                    })
                })
                .collect();
        all.retain(|source| {
            !of_tests
                .iter()
                .any(|tests| source.module.starts_with(tests))
        });
        all
    })
}

fn source(name: &str, text: &str) -> Source {
    let file = syn::parse_file(text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let module = name
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
        .map(str::to_owned)
        .collect();
    let mut reading = Reading {
        source: Source {
            name: name.to_owned(),
            text: text.to_owned(),
            module,
            lines: text.lines().count(),
            imports: Vec::new(),
            paths: Vec::new(),
            functions: Vec::new(),
            impls: BTreeSet::new(),
            types: Vec::new(),
            code: Vec::new(),
            spawns: Vec::new(),
            test_modules: Vec::new(),
        },
        depth: 0,
        of: None,
    };
    reading.visit_file(&file);
    reading.source
}

struct Reading {
    source: Source,
    depth: usize,
    /// The type whose `impl` is read.
    of: Option<String>,
}

/// Whether an attribute leaves an item to tests.
fn of_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && list.is_ok_and(|list| {
                    let words = list.tokens.to_string();
                    words == "test" || words.starts_with("all (test")
                })
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    !matches!(visibility, syn::Visibility::Inherited)
}

impl Reading {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let line = signature.span().start().line;
        let name = match &self.of {
            Some(of) => format!("{of}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        self.source.functions.push(Function {
            name,
            lines: body.span().end().line - line + 1,
        });
    }

    fn declared(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        if matches!(visibility, syn::Visibility::Public(_)) {
            self.source.types.push(name.to_string());
        }
    }

    fn imports(&mut self, tree: &syn::UseTree, before: &[String], public: bool) {
        let leaf = |name: &syn::Ident, shown: String| {
            let mut segments = before.to_vec();
            // `use a::{self, b}` names `a`.
            if name != "self" || before.is_empty() {
                segments.push(name.to_string());
            }
            (name.span().start().line, segments, shown)
        };
        let (line, segments, name) = match tree {
            syn::UseTree::Path(path) => {
                let mut longer = before.to_vec();
                longer.push(path.ident.to_string());
                return self.imports(&path.tree, &longer, public);
            }
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.imports(item, before, public);
                }
                return;
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned().unwrap_or_default();
                leaf(&name.ident, last)
            }
            syn::UseTree::Name(name) => leaf(&name.ident, name.ident.to_string()),
            syn::UseTree::Rename(rename) => leaf(&rename.ident, rename.rename.to_string()),
            syn::UseTree::Glob(glob) => (
                glob.star_token.span().start().line,
                before.to_vec(),
                "*".to_owned(),
            ),
        };
        let depth = self.depth;
        self.source.imports.push(Import {
            named: Named {
                line,
                segments,
                depth,
            },
            name,
            public,
        });
    }

    /// Paths inside of macros and attributes, where `syn` sees tokens only.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut segments: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for tree in tokens {
            match tree {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.path(line, &mut segments);
                    }
                    if segments.is_empty() {
                        line = word.span().start().line;
                    }
                    segments.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.path(line, &mut segments);
                    colons = 0;
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.path(line, &mut segments);
                    colons = 0;
                }
            }
        }
        self.path(line, &mut segments);
    }

    fn path(&mut self, line: usize, segments: &mut Vec<String>) {
        let segments = std::mem::take(segments);
        if segments.len() > 1 {
            let depth = self.depth;
            self.source.paths.push(Named {
                line,
                segments,
                depth,
            });
        }
    }
}

impl<'a> Visit<'a> for Reading {
    fn visit_item(&mut self, item: &'a syn::Item) {
        if of_tests(attributes(item)) {
            let lines = item.span().end().line - item.span().start().line + 1;
            self.source.lines = self.source.lines.saturating_sub(lines);
            if let syn::Item::Mod(module) = item
                && module.content.is_none()
            {
                self.source.test_modules.push(module.ident.to_string());
            }
            return;
        }
        let line = item.span().start().line;
        let code = match item {
            syn::Item::Fn(item) => Some(item.sig.ident.to_string()),
            syn::Item::Impl(_) => Some("impl".to_owned()),
            syn::Item::Struct(item) => Some(item.ident.to_string()),
            syn::Item::Enum(item) => Some(item.ident.to_string()),
            syn::Item::Const(item) => Some(item.ident.to_string()),
            syn::Item::Static(item) => Some(item.ident.to_string()),
            _ => None,
        };
        self.source.code.extend(code.map(|code| (line, code)));
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.imports(&item.tree, &[], is_public(&item.vis));
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.declared(&item.vis, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.declared(&item.vis, &item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.declared(&item.vis, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        if let syn::Type::Path(path) = &*item.self_ty
            && let Some(last) = path.path.segments.last()
        {
            let name = last.ident.to_string();
            if item.trait_.is_none() {
                self.source.impls.insert(name.clone());
            }
            self.of = Some(name);
        }
        visit::visit_item_impl(self, item);
        self.of = None;
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        let of = self.of.take();
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
        self.of = of;
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if of_tests(&item.attrs) {
            let lines = item.span().end().line - item.span().start().line + 1;
            self.source.lines = self.source.lines.saturating_sub(lines);
            return;
        }
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let mut segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.path(path.span().start().line, &mut segments);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let name = call.method.to_string();
        if name.starts_with("spawn") {
            let line = call.method.span().start().line;
            self.source.spawns.push((line, format!(".{name}()")));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}
