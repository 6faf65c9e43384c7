"""The pieces of the R script, as text: what is written is what a colleague reads.

They rely on the settings that `harmony_core.export.scripts.seurat` puts before them, and on each
other in the order in which that module joins them.
"""

HEADER = """\
# One Harmony run in R, written by Harmony Explorer. It needs these packages:
#   install.packages(c("Seurat", {harmony}"hdf5r", "Matrix", "ggplot2", "leidenbase"))
# Run it with: Rscript harmony_seurat.R

library(Seurat)
library(hdf5r)
library(Matrix)
library(ggplot2)
"""

LIBRARY = """\
library(harmony)
stopifnot(start %in% c("counts", "pca", "corrected"), packageVersion("harmony") >= "2.0")
"""

READING = """\
# Reading the h5ad

set.seed(seed)
file <- H5File$new(h5ad, mode = "r")

read_names <- function(group) {
  file[[paste0(group, "/", h5attr(file[[group]], "_index"))]]$read()
}

# A column of obs as text, whichever way it is stored.
read_column <- function(name) {
  item <- file[["obs"]][[name]]
  if (!inherits(item, "H5Group")) return(as.character(item$read()))
  members <- names(item)
  if ("codes" %in% members) {
    return(as.character(item[["categories"]]$read())[item[["codes"]]$read() + 1])
  }
  as.character(item[["values"]]$read())
}

# A matrix as genes by cells; R sees the dimensions of an HDF5 file in reverse.
read_matrix <- function(path, n_genes, n_cells) {
  item <- file[[path]]
  if (!inherits(item, "H5Group")) return(as(item$read(), "CsparseMatrix"))
  x <- as.numeric(item[["data"]]$read())
  i <- as.integer(item[["indices"]]$read())
  p <- as.integer(item[["indptr"]]$read())
  if (h5attr(item, "encoding-type") == "csr_matrix") {
    return(sparseMatrix(i = i, p = p, x = x, dims = c(n_genes, n_cells), index1 = FALSE))
  }
  t(sparseMatrix(i = i, p = p, x = x, dims = c(n_cells, n_genes), index1 = FALSE))
}

read_embedding <- function(name, key) {
  values <- t(file[["obsm"]][[name]]$read())
  dimnames(values) <- list(cells, paste0(key, seq_len(ncol(values))))
  values
}

# The dimensions that the run corrected.
read_start <- function(key) {
  values <- read_embedding(basis, key)
  values[, seq_len(ncol(values)) > skip_dims, drop = FALSE]
}

cells <- read_names("obs")
columns <- as.data.frame(lapply(setNames(batch, batch), read_column), row.names = cells)
names(columns) <- batch
"""

OBJECT = """\
# The Seurat object

symbols <- make.unique(read_names(genes))
expression <- read_matrix(matrix, length(symbols), length(cells))
dimnames(expression) <- list(symbols, cells)
object <- CreateSeuratObject(counts = expression, meta.data = columns)
"""

OBJECT_OF_EMBEDDING = """\
# The Seurat object; the data have no expression, so the dimensions stand in for genes.

object <- CreateSeuratObject(counts = as(t(read_start("PC")), "CsparseMatrix"),
                             meta.data = columns)
"""

COUNTS = """\
# From counts to principal components. As in the run, variable genes are chosen within each batch,
# and genes are centred but scaled only if scale_genes is TRUE; the choice itself is Seurat's, so
# the genes differ in part. Cells and genes were filtered already.

if (start == "counts") {
  object[["RNA"]] <- split(object[["RNA"]], f = object[[batch[1], drop = TRUE]])
  object <- FindVariableFeatures(object, nfeatures = n_top_genes)
  object[["RNA"]] <- JoinLayers(object[["RNA"]])
  object <- ScaleData(object, do.scale = scale_genes)
  object <- RunPCA(object, npcs = min(n_pcs, length(VariableFeatures(object)) - 1))
} else {
  object[["pca"]] <- CreateDimReducObject(read_start("PC_"), key = "PC_", assay = "RNA")
}
"""

NO_COUNTS = """\
# The embedding that was corrected

object[["pca"]] <- CreateDimReducObject(read_start("PC_"), key = "PC_", assay = "RNA")
"""

HARMONY = """\
if (start == "corrected") {
  object[["harmony"]] <- CreateDimReducObject(
    read_embedding(corrected, "harmony_"), key = "harmony_", assay = "RNA"
  )
} else {
  # Rscript draws the convergence plot into Rplots.pdf.
  object <- RunHarmony(
    object,
    group.by.vars = batch,
    reduction.use = "pca",
    dims.use = seq_len(ncol(Embeddings(object, "pca"))),
    reduction.save = "harmony",
    project.dim = FALSE,
    theta = theta,
    sigma = sigma,
    lambda = lambda,
    nclust = nclust,
    max_iter = max_iter,
    early_stop = TRUE,
    plot_convergence = TRUE,
    .options = harmony_options(
      alpha = alpha,
      tau = tau,
      block.size = block_size,
      max.iter.cluster = max_iter_cluster,
      epsilon.cluster = epsilon_cluster,
      epsilon.harmony = epsilon_harmony
    )
  )
}
"""

GIVEN = """\
# The embedding that another tool corrected; Harmony is not run.

object[["corrected"]] <- CreateDimReducObject(
  read_embedding(corrected, "corrected_"), key = "corrected_", assay = "RNA"
)
"""

AFTERWARDS = """\
# Neighbours, clusters, pictures. Leiden (algorithm 4) needs leidenbase; 1 is Louvain.

reduction <- if ("harmony" %in% Reductions(object)) "harmony" else "corrected"
dims <- seq_len(ncol(Embeddings(object, reduction)))
object <- FindNeighbors(object, reduction = reduction, dims = dims, k.param = n_neighbors)
object <- FindClusters(object, resolution = resolution, algorithm = 4, random.seed = seed)
object <- RunUMAP(
  object,
  reduction = reduction,
  dims = dims,
  n.neighbors = n_neighbors,
  min.dist = min_dist,
  spread = spread,
  seed.use = seed
)
object <- RunUMAP(
  object,
  reduction = "pca",
  dims = seq_len(ncol(Embeddings(object, "pca"))),
  n.neighbors = n_neighbors,
  min.dist = min_dist,
  spread = spread,
  seed.use = seed,
  reduction.name = "umap_uncorrected",
  reduction.key = "UMAPuncorrected_"
)

pictures <- DimPlot(object, reduction = "umap", group.by = batch[1]) +
  DimPlot(object, reduction = "umap", group.by = "seurat_clusters") +
  DimPlot(object, reduction = "umap_uncorrected", group.by = batch[1])
ggsave("harmony_seurat.png", pictures, width = 15, height = 5, dpi = 150)
saveRDS(object, "harmony_seurat.rds")
file$close_all()
"""
