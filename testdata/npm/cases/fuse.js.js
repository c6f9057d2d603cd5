import Fuse from "fuse.js";
import { equal } from "../check.js";

const books = [{ title: "Old Man's War", author: "John Scalzi" }, { title: "The Lock Artist", author: "Steve Hamilton" }, { title: "HTML5", author: "Remy Sharp" }];
const fuse = new Fuse(books, { keys: ["title", { name: "author", weight: 2 }], includeScore: true, includeMatches: true });
equal(fuse.search("hamiltn")[0].item.title, "The Lock Artist");
equal(fuse.search("old man")[0].refIndex, 0);
equal(fuse.search("lock")[0].matches[0].key, "title");
equal(fuse.search("zzzz"), []);
equal(new Fuse(["apple", "orange"]).search("aple")[0].item, "apple");
fuse.add({ title: "War and Peace", author: "Tolstoy" });
equal(fuse.search("tolstoi")[0].refIndex, 3);
