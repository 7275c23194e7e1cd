"""Einsum: linear maps, movements, sums and products, by equations of every form."""

from .example import W, add


def einsum(equation, *operands, **more):
    add("Einsum", *operands, equation=equation, **more)


einsum("bnc,dc->bnd", (2, 3, 4), W(5, 4))
einsum("dc,bnc->bdn", W(5, 4), (2, 3, 4), opset=12)
einsum("B h I D , h D E -> B I E", (2, 3, 4, 5), W(3, 5, 2))  # the heads' last projection
einsum("...c,cd->...d", (2, 3, 4), W(4, 5))
einsum("...ij,...jk->...ik", W(2, 3, 4), (2, 4, 3), batch=False)
einsum("...ij,...jk", (2, 1, 3, 4), W(1, 3, 4, 2))
einsum("bi,ir,ro->bo", (3, 4), W(4, 2), W(2, 5))  # of low rank
einsum("bi,o->bo", (3, 4), W(5))
einsum("bi,oo->b", (3, 4), W(5, 5))  # a trace as the weight
einsum("bi,ij->bj", (3, 4), W(1, 5))
einsum("i,i->", (4,), W(4), batch=False)
einsum("bii,io->bo", (2, 3, 3), W(3, 4))
einsum("bchw,c->bchw", (2, 4, 3, 2), W(4))
einsum("chw,bchw->bchw", W(4, 3, 2), (2, 4, 3, 2))
einsum("b...,...->b...", (2, 4, 3), W(1, 3))
einsum("bchw->bhwc", (2, 4, 3, 2))
einsum("bii->bi", (2, 3, 3))
einsum("b...i->bi...", (2, 4, 3, 2))
einsum("bij->bj", (2, 3, 4))
einsum("bii->b", (2, 3, 3))
einsum("ba", (2, 3), batch=False)  # its axes in the order of the alphabet
einsum("ij->", (2, 3), batch=False)
einsum("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4))
einsum("b h i j, b h j d -> b i h d", (2, 2, 3, 5), (2, 2, 5, 4))
einsum("...id,...jd->...ij", (2, 3, 4), (2, 5, 4))
einsum("...id,...jd", (2, 3, 4), (2, 5, 4))
einsum("bi,bi->b", (3, 4), (3, 4))
einsum("bi,bj->bij", (3, 4), (3, 2))
einsum("bi,bj->b", (3, 4), (3, 2))
einsum("bii,bi->bi", (2, 3, 3), (2, 3))
einsum("bi,ijk,bj->bk", (2, 3), W(3, 4, 5), (2, 4))  # bilinear
einsum("bi,bij,bj->b", (2, 3), (2, 3, 4), (2, 4))
einsum("bi,bj,bk->bijk", (2, 3), (2, 2), (2, 4))
einsum("bi,bi,io,bi->bo", (2, 3), (2, 3), W(3, 4), (2, 3))  # of degree 3, with a weight
